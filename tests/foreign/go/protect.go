// Protects an HTTP API in Go with go-jose. docs/protect-an-api.md shows the regions of this file.

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json" // Refuses an object that names a member twice.
)

const (
	leeway     = 5
	longest    = 16 * 1024
	unattended = "urn:procura:acr:unattended"
)

var (
	algorithms  = []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA}
	permissions = strings.Fields(`can_authorise_payments can_make_same_currency_payments
		can_manage_beneficiaries can_manage_beneficiaries_groups can_manage_contacts can_manage_fix_forwards
		can_manage_multipayments can_manage_payments can_manage_permissions can_trade`)
	party       = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	application = regexp.MustCompile(`^app_[A-Za-z0-9]{1,60}$`)
	bearer      = regexp.MustCompile(`(?i)^bearer($|[^A-Za-z0-9_-])`)
	credentials = regexp.MustCompile(`(?i)^bearer ([A-Za-z0-9._~+/-]+=*)$`)
	messages    = map[string]string{
		"invalid_request":         "The request is malformed.",
		"no_contact":              "The token acts for no contact.",
		"contact_mismatch":        "X-Contact-ID is not the token's contact.",
		"client_not_allowed":      "client_id must be one of the token's clients.",
		"insufficient_permission": "The token lacks the permission for this client.",
		"person_required":         "This call needs a person who signed in.",
		"temporarily_unavailable": "The token can't be checked now.",
	}
)

// ActingFor is who may do what: what a handler gets to know.
type ActingFor struct {
	Contact, Application, Client string
	Permissions                  []string
	Presence                     string
}

// Refused is the answer instead of the handler's: Code is for the body, Err for WWW-Authenticate.
type Refused struct {
	Status           int
	Code, Err, Scope string
}

// Whatever is wrong with a token, the answer is the same.
var (
	invalidToken = &Refused{Status: 401, Err: "invalid_token"}
	malformed    = &Refused{Status: 400, Code: "invalid_request", Err: "invalid_request"}
	repeated     = &Refused{Status: 400, Code: "invalid_request"}
	unavailable  = &Refused{Status: 503, Code: "temporarily_unavailable"}
)

// Answer writes it.
func (r *Refused) Answer(w http.ResponseWriter, realm string) {
	if r.Status == 401 || r.Err != "" {
		challenge := fmt.Sprintf("Bearer realm=%q", realm)
		if r.Err != "" {
			challenge += fmt.Sprintf(", error=%q", r.Err)
		}
		if r.Scope != "" {
			challenge += fmt.Sprintf(", scope=%q", r.Scope)
		}
		w.Header().Set("WWW-Authenticate", challenge)
	}
	if r.Status == 503 {
		w.Header().Set("Retry-After", "1")
	}
	if r.Code == "" {
		w.WriteHeader(r.Status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.Status)
	stdjson.NewEncoder(w).Encode(map[string]string{"code": r.Code, "message": messages[r.Code], "details": ""})
}

type mandate struct {
	Clients     []string `json:"clients"`
	Permissions []string `json:"permissions"`
}

type accessToken struct {
	Issuer      string         `json:"iss"`
	Contact     string         `json:"sub"`
	Audience    string         `json:"aud"`
	ID          string         `json:"jti"`
	Application string         `json:"client_id"`
	Context     string         `json:"acr"`
	Scope       *string        `json:"scope"`
	Issued      *int64         `json:"iat"`
	Expires     *int64         `json:"exp"`
	Version     *int64         `json:"dv"`
	NotBefore   *int64         `json:"nbf"`
	AuthTime    *int64         `json:"auth_time"`
	Actor       map[string]any `json:"act"`
	Mandates    []mandate      `json:"mandates"`
	bound       bool           // Whether there is a cnf, whatever it says.
	boundTo     string         // x5t#S256 of a cnf that has no other member.
}

// region check

// Guard checks requests. StillActive, if set, asks the server about each token: see Introspection.
type Guard struct {
	Issuer, Audience string
	Keys             *Keys
	StillActive      func(token string) (bool, error)
}

// Route is what a route asks for. Without a permission, authority to read is enough.
type Route struct {
	Permission string
	Person     bool
}

// Caller is what a request says by its query and headers, and the certificate that its caller showed in the
// TLS handshake, DER; nil if it showed none.
type Caller struct {
	Query       string
	Header      http.Header
	Certificate []byte
}

// Check says who may do what.
func (g *Guard) Check(caller Caller, now int64, route Route) (*ActingFor, *Refused) {
	query, header := caller.Query, caller.Header
	parameters := parse(query)
	token, refused := bearerToken(parameters, header.Values("Authorization"))
	if refused != nil {
		return nil, refused
	}
	claims, refused := g.verified(token, now)
	if refused != nil {
		return nil, refused
	}
	if claims.bound && (caller.Certificate == nil || claims.boundTo != thumbprint(caller.Certificate)) {
		return nil, invalidToken
	}
	if g.StillActive != nil {
		if active, err := g.StillActive(token); err != nil {
			return nil, unavailable
		} else if !active {
			return nil, invalidToken
		}
	}
	if claims.Mandates == nil {
		return nil, &Refused{Status: 403, Code: "no_contact"}
	}
	contacts, clients := header.Values("X-Contact-ID"), parameters["client_id"]
	switch {
	case len(contacts) > 1:
		return nil, repeated
	case len(contacts) == 1 && contacts[0] != claims.Contact:
		return nil, &Refused{Status: 403, Code: "contact_mismatch"}
	case len(clients) > 1:
		return nil, repeated
	case len(clients) == 0:
		return nil, &Refused{Status: 403, Code: "client_not_allowed"}
	}
	at := slices.IndexFunc(claims.Mandates, func(m mandate) bool { return slices.Contains(m.Clients, clients[0]) })
	if at < 0 {
		return nil, &Refused{Status: 403, Code: "client_not_allowed"}
	}
	held, presence := claims.Mandates[at].Permissions, "no_person"
	if claims.Actor == nil {
		presence = "person"
	}
	if route.Permission != "" && !slices.Contains(held, route.Permission) {
		return nil, &Refused{403, "insufficient_permission", "insufficient_scope", route.Permission}
	}
	if route.Person && presence != "person" {
		return nil, &Refused{Status: 403, Code: "person_required"}
	}
	return &ActingFor{claims.Contact, claims.Application, clients[0], held, presence}, nil
}

// The claims of a token that is ours, for this API and in force.
func (g *Guard) verified(token string, now int64) (*accessToken, *Refused) {
	parts := strings.Split(token, ".")
	if len(token) > longest || len(parts) != 3 {
		return nil, invalidToken
	}
	var header struct {
		Alg string `json:"alg"`
		Kid string `json:"kid"`
		Typ string `json:"typ"`
	}
	var claims accessToken
	headerHas, err := strictObject(parts[0], &header)
	if err != nil {
		return nil, invalidToken
	}
	claimsHave, err := strictObject(parts[1], &claims)
	if err != nil {
		return nil, invalidToken
	}
	// The signature verifies in one spelling only.
	if _, err := base64.RawURLEncoding.Strict().DecodeString(parts[2]); err != nil {
		return nil, invalidToken
	}
	typ := strings.TrimPrefix(strings.ToLower(header.Typ), "application/")
	if _, critical := headerHas["crit"]; critical || typ != "at+jwt" || header.Kid == "" {
		return nil, invalidToken
	}
	signed, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		return nil, invalidToken
	}
	key, refused := g.Keys.Find(header.Kid)
	if refused != nil {
		return nil, refused
	}
	if key.Algorithm != header.Alg {
		return nil, invalidToken
	}
	if _, err := signed.Verify(key); err != nil || !claims.wellFormed(claimsHave) {
		return nil, invalidToken
	}
	inForce := *claims.Expires+leeway > now && *claims.Issued <= now+leeway
	notYet := claims.NotBefore != nil && *claims.NotBefore > now+leeway
	if claims.Issuer != g.Issuer || claims.Audience != g.Audience || !inForce || notYet {
		return nil, invalidToken
	}
	// With any other member the token is bound to something that is not checked here.
	confirmation, bound := claimsHave["cnf"]
	members, _ := confirmation.(map[string]any)
	if digest, ok := members["x5t#S256"].(string); ok && len(members) == 1 {
		claims.boundTo = digest
	}
	claims.bound = bound
	return &claims, nil
}

// What names a certificate in a token that is bound to it (RFC 8705, section 3.1).
func thumbprint(certificate []byte) string {
	digest := sha256.Sum256(certificate)
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

// endregion check

// Whether each claim is there and is what the contract says.
func (c *accessToken) wellFormed(has map[string]any) bool {
	for _, name := range []string{"nbf", "auth_time", "act", "acr", "mandates"} {
		if value, there := has[name]; there && value == nil {
			return false
		}
	}
	for _, number := range []*int64{c.Issued, c.Expires, c.Version, c.NotBefore, c.AuthTime} {
		if number != nil && (*number < 0 || *number >= 1<<53) {
			return false
		}
	}
	if c.Issued == nil || c.Expires == nil || c.Version == nil {
		return false
	}
	if c.ID == "" || c.Scope == nil || !application.MatchString(c.Application) {
		return false
	}
	if c.Contact == c.Application { // An application alone.
		return c.Actor == nil && c.AuthTime == nil && c.Mandates == nil
	}
	if !isParty(c.Contact) {
		return false
	}
	if c.Actor != nil {
		if c.AuthTime != nil || len(c.Actor) != 1 || c.Actor["sub"] != c.Application || c.Context != unattended {
			return false
		}
	} else if c.Context == unattended || c.AuthTime == nil {
		return false
	}
	seen := map[string]bool{}
	for _, group := range c.Mandates {
		if group.Permissions == nil || len(group.Clients) == 0 {
			return false
		}
		for _, name := range group.Permissions {
			if !slices.Contains(permissions, name) {
				return false
			}
		}
		for _, client := range group.Clients {
			if !isParty(client) || seen[client] {
				return false
			}
			seen[client] = true
		}
	}
	return len(seen) > 0
}

// The id of a contact or a client.
func isParty(id string) bool {
	return party.MatchString(id) && id != "." && id != ".." && !strings.HasPrefix(id, "app_")
}

// One JSON object in canonical base64url: into a value, and all its members.
func strictObject(part string, value any) (map[string]any, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(raw) || !bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{")) {
		return nil, errors.New("not one JSON object in UTF-8")
	}
	members := map[string]any{}
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	return members, json.Unmarshal(raw, value)
}

func bearerToken(parameters url.Values, authorizations []string) (string, *Refused) {
	if parameters.Has("access_token") || len(authorizations) > 1 {
		return "", malformed
	}
	if len(authorizations) == 0 || !bearer.MatchString(authorizations[0]) {
		return "", &Refused{Status: 401}
	}
	found := credentials.FindStringSubmatch(authorizations[0])
	if found == nil {
		return "", malformed
	}
	return found[1], nil
}

// Every parameter, also those that url.ParseQuery leaves out because of a broken escape.
func parse(query string) url.Values {
	parameters := url.Values{}
	for _, piece := range strings.Split(query, "&") {
		name, value, _ := strings.Cut(piece, "=")
		parameters.Add(unescaped(name), unescaped(value))
	}
	return parameters
}

func unescaped(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// Keys is the published set: kept for 5 minutes, up to 15 when the server can't be asked. An unknown kid
// asks once more, but never within 10 seconds of the last time.
type Keys struct {
	Fetch          func() (*jose.JSONWebKeySet, error)
	Clock          func() time.Time
	lock           sync.Mutex
	set            *jose.JSONWebKeySet
	fetched, tried time.Time
}

// Find gives the one key with this kid.
func (k *Keys) Find(kid string) (*jose.JSONWebKey, *Refused) {
	k.lock.Lock()
	defer k.lock.Unlock()
	now := k.Clock()
	due := k.set == nil || now.Sub(k.fetched) > 5*time.Minute || len(k.set.Key(kid)) == 0
	if due && (k.tried.IsZero() || now.Sub(k.tried) > 10*time.Second) {
		k.tried = now
		if set, err := k.Fetch(); err == nil {
			k.set, k.fetched = set, now
		}
	}
	if k.set == nil || now.Sub(k.fetched) > 15*time.Minute {
		return nil, unavailable
	}
	found := k.set.Key(kid)
	if len(found) != 1 || !found[0].IsPublic() {
		return nil, invalidToken
	}
	return &found[0], nil
}

// Published fetches the set from where the server publishes it.
func Published(client *http.Client, uri string) func() (*jose.JSONWebKeySet, error) {
	return func() (*jose.JSONWebKeySet, error) {
		response, err := client.Get(uri)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		if response.StatusCode != 200 {
			return nil, fmt.Errorf("the key set: %s", response.Status)
		}
		var set jose.JSONWebKeySet
		return &set, stdjson.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&set)
	}
}

// region introspection

// Introspection asks the server whether a token is still active. Whatever is not a plain answer is an error.
func Introspection(client *http.Client, endpoint, resourceID, secret string) func(string) (bool, error) {
	return func(token string) (bool, error) {
		form := strings.NewReader(url.Values{"token": {token}}.Encode())
		request, err := http.NewRequest("POST", endpoint, form)
		if err != nil {
			return false, err
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		// RFC 6749, section 2.3.1: both are form-encoded first.
		request.SetBasicAuth(url.QueryEscape(resourceID), url.QueryEscape(secret))
		response, err := client.Do(request)
		if err != nil {
			return false, err
		}
		defer response.Body.Close()
		var answer struct {
			Active *bool `json:"active"`
		}
		err = json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&answer)
		if err != nil || response.StatusCode != 200 || answer.Active == nil {
			return false, fmt.Errorf("the introspection was answered with %s", response.Status)
		}
		return *answer.Active, nil
	}
}

// endregion introspection

// region handler

// Protect puts a guard before a handler, which gets to know for whom it acts.
func (g *Guard) Protect(route Route, handler func(http.ResponseWriter, *http.Request, *ActingFor)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := Caller{Query: r.URL.RawQuery, Header: r.Header}
		// Only where this server itself ends the TLS and asks for certificates: tls.RequestClientCert.
		if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
			caller.Certificate = r.TLS.PeerCertificates[0].Raw
		}
		acting, refused := g.Check(caller, time.Now().Unix(), route)
		if refused != nil {
			refused.Answer(w, g.Audience)
			return
		}
		handler(w, r, acting)
	})
}

// API has two routes. Each says which permission it needs. The client has a timeout and follows no redirect.
//
//	keys := &Keys{Fetch: Published(client, issuer+"/jwks"), Clock: time.Now}
//	http.ListenAndServe(address, API(&Guard{Issuer: issuer, Audience: audience, Keys: keys}))
func API(guard *Guard) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /accounts", guard.Protect(Route{}, func(w http.ResponseWriter, _ *http.Request, a *ActingFor) {
		stdjson.NewEncoder(w).Encode(map[string]string{"accounts_of": a.Client, "read_by": a.Contact})
	}))
	trade := Route{Permission: "can_trade"}
	mux.Handle("POST /trades", guard.Protect(trade, func(w http.ResponseWriter, _ *http.Request, a *ActingFor) {
		told := map[string]string{"traded_for": a.Client, "by": a.Contact, "through": a.Application}
		stdjson.NewEncoder(w).Encode(told)
	}))
	return mux
}

// endregion handler
