// Runs the shared vectors through protect.go, then protects a small API of its own behind a running demo.
//
// Usage: protect VECTORS DEMO, where VECTORS is tests/vectors/guard.json and DEMO holds the line that
// `procura demo --json` prints. Or, with the line of `procura demo --tls --json`: protect --partner DEMO; or protect
// --stock DEMO API, where API is where examples/payments listens. The last line says how much was checked; the first
// thing that is not right ends the program.

package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Loopback, whatever proxy the environment names.
var client = &http.Client{
	Timeout:       20 * time.Second,
	Transport:     &http.Transport{Proxy: nil},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

var checks int

type vectors struct {
	Issuer, Audience, Realm string
	Now                     int64
	JWKS                    jose.JSONWebKeySet
	Certificates            map[string]struct{ DER []byte }
	Cases                   []vector
	CutOff                  []vector `json:"cut_off"`
}

type vector struct {
	Name    string
	Token   *string
	Request struct {
		Target      string
		Headers     [][2]string
		Certificate string
	}
	Route struct {
		Permission *string
		Person     bool
	}
	Marks  []any
	State  string
	Answer map[string]any
}

type demo struct {
	BaseURL           string `json:"base_url"`
	Issuer            string `json:"issuer"`
	ApplicationID     string `json:"application_id"`
	ApplicationSecret string `json:"application_secret"`
	ResourceID        string `json:"resource_id"`
	ResourceSecret    string `json:"resource_secret"`
	Contacts          []contact
}

type contact struct {
	ContactID string `json:"contact_id"`
	Clients   []string
}

type tokens struct {
	AccessToken string `json:"access_token"`
	IDToken     string `json:"id_token"`
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "--stock" {
		runStock(os.Args[2], os.Args[3])
		return
	}
	if len(os.Args) != 3 {
		fail("usage: protect VECTORS DEMO, or protect --partner DEMO, or protect --stock DEMO API")
	}
	if os.Args[1] == "--partner" {
		runPartner(os.Args[2])
		fmt.Printf("%d checks passed\n", checks)
		return
	}
	var shared vectors
	var told demo
	readFile(os.Args[1], &shared)
	readFile(os.Args[2], &told)
	runVectors(&shared)
	keysAreKept(&shared)
	runDemo(&told)
	fmt.Printf("%d checks passed\n", checks)
}

// The key set of the vectors, how often it was asked for, and a clock that can be moved.
func published(set *jose.JSONWebKeySet) (keys *Keys, asked *int, clock *time.Time) {
	asked, clock = new(int), new(time.Time)
	*clock = time.Unix(1_000_000, 0)
	fetch := func() (*jose.JSONWebKeySet, error) {
		*asked++
		if set == nil {
			return nil, errors.New("unreachable")
		}
		return set, nil
	}
	return &Keys{Fetch: fetch, Clock: func() time.Time { return *clock }}, asked, clock
}

func runVectors(shared *vectors) {
	keys, _, _ := published(&shared.JWKS)
	guard := &Guard{Issuer: shared.Issuer, Audience: shared.Audience, Keys: keys}
	var marked []string
	for _, c := range shared.Cases {
		if len(c.Marks) > 0 {
			marked = append(marked, c.Name)
			continue
		}
		equal(outcome(guard, shared, &c), c.Answer, c.Name)
	}
	fmt.Println("skipped, for want of a view of marks:", strings.Join(marked, ", "))
	check(len(shared.Cases)-len(marked) >= 150, "at least 150 cases ran")
}

// A case's answer in the vectors' form.
func outcome(guard *Guard, shared *vectors, c *vector) map[string]any {
	token := ""
	if c.Token != nil {
		token = *c.Token
	}
	header := http.Header{}
	for _, pair := range c.Request.Headers {
		header.Add(pair[0], strings.ReplaceAll(pair[1], "{token}", token))
	}
	_, query, _ := strings.Cut(strings.ReplaceAll(c.Request.Target, "{token}", token), "?")
	route := Route{Person: c.Route.Person}
	if c.Route.Permission != nil {
		route.Permission = *c.Route.Permission
	}
	caller := Caller{Query: query, Header: header, Certificate: shared.Certificates[c.Request.Certificate].DER}
	acting, refused := guard.Check(caller, shared.Now, route)
	if refused != nil {
		wellAnswered(refused, shared.Realm)
		return map[string]any{
			"status": float64(refused.Status), "error": orNil(refused.Err), "code": orNil(refused.Code), "acting": nil,
		}
	}
	held := []any{}
	for _, name := range slices.Sorted(slices.Values(acting.Permissions)) {
		held = append(held, name)
	}
	return map[string]any{"status": 200.0, "error": nil, "code": nil, "acting": map[string]any{
		"contact": acting.Contact, "application": acting.Application, "client": acting.Client,
		"permissions": held, "presence": acting.Presence,
	}}
}

func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func wellAnswered(refused *Refused, realm string) {
	recorder := httptest.NewRecorder()
	refused.Answer(recorder, realm)
	answer, body := recorder.Result(), recorder.Body.Bytes()
	equal(answer.StatusCode == 401, len(body) == 0, "only a 401 has no body")
	equal(answer.StatusCode == 503, answer.Header.Get("Retry-After") != "", "only a 503 has Retry-After")
	challenge := answer.Header.Get("WWW-Authenticate")
	challenged := strings.HasPrefix(challenge, `Bearer realm="`+realm+`"`)
	equal(challenged, answer.StatusCode == 401 || refused.Err != "", "the challenge")
	named := strings.Contains(challenge, `error="`+refused.Err+`"`)
	equal(named, refused.Err != "", "the challenge's error")
	if len(body) > 0 {
		var message map[string]string
		check(json.Unmarshal(body, &message) == nil, "an ErrorMessage has strings only")
		equal(len(message), 3, "members of an ErrorMessage")
		equal(message["code"], refused.Code, "code of an ErrorMessage")
		check(message["message"] != "", "an ErrorMessage says what is wrong")
	}
}

// One fetch serves all; unknown kids ask once more and no more; without keys nobody gets in.
func keysAreKept(shared *vectors) {
	at := slices.IndexFunc(shared.Cases, func(c vector) bool {
		return c.Answer["status"] == 200.0 && len(c.Marks) == 0
	})
	good := shared.Cases[at]
	keys, asked, clock := published(&shared.JWKS)
	guard := &Guard{Issuer: shared.Issuer, Audience: shared.Audience, Keys: keys}
	status := func(c vector) any { return outcome(guard, shared, &c)["status"] }
	for range 3 {
		equal(status(good), 200.0, "status of a good token")
	}
	equal(*asked, 1, "fetches for three good tokens")
	_, rest, _ := strings.Cut(*good.Token, ".")
	header := []byte(`{"alg":"ES256","kid":"unknown","typ":"at+jwt"}`)
	unknown, foreign := base64.RawURLEncoding.EncodeToString(header)+"."+rest, good
	foreign.Token = &unknown
	*clock = clock.Add(11 * time.Second)
	for range 3 {
		equal(status(foreign), 401.0, "status of an unknown kid")
	}
	equal(*asked, 2, "fetches after three unknown kids")
	guard.Keys.Fetch = func() (*jose.JSONWebKeySet, error) { return nil, errors.New("unreachable") }
	*clock = clock.Add(14 * time.Minute)
	equal(status(good), 200.0, "status with keys of 14 minutes ago")
	*clock = clock.Add(2 * time.Minute)
	equal(status(good), 503.0, "status with keys of 16 minutes ago")
	guard.Keys, _, _ = published(nil)
	without := 0
	for _, c := range shared.CutOff {
		if c.State == "keys_never_fetched" {
			equal(outcome(guard, shared, &c), c.Answer, c.Name)
			without++
		}
	}
	check(without >= 2, "cases without keys")
}

func runDemo(told *demo) {
	var metadata struct {
		JWKSURI       string `json:"jwks_uri"`
		Introspection string `json:"introspection_endpoint"`
		Revocation    string `json:"revocation_endpoint"`
	}
	_, _, body := send("GET", told.BaseURL+"/.well-known/oauth-authorization-server", nil, "")
	check(json.Unmarshal(body, &metadata) == nil, "the metadata is JSON")
	keys := &Keys{Fetch: Published(client, metadata.JWKSURI), Clock: time.Now}
	guard := &Guard{Issuer: told.Issuer, Audience: told.ResourceID, Keys: keys}
	asks := func(secret string) func(string) (bool, error) {
		return Introspection(client, metadata.Introspection, told.ResourceID, secret)
	}
	served := metadata.Introspection != "" && told.ResourceSecret != ""
	if served {
		guard.StillActive = asks(told.ResourceSecret)
	}
	server := httptest.NewServer(API(guard))
	defer server.Close()
	for _, one := range told.Contacts {
		call(told, server.URL, one)
	}
	failsClosed(told, server.URL, guard)
	if served {
		deadTokensAreRefused(told, server.URL, guard, metadata.Revocation, asks("pcs_"+strings.Repeat("A", 43)))
	} else {
		fmt.Println("skipped introspection: the server does not say that it serves it")
	}
}

func call(told *demo, api string, one contact) {
	got := tokensFor(told, one)
	var claims accessToken
	_, err := strictObject(strings.Split(got.AccessToken, ".")[1], &claims)
	check(err == nil, "the claims are one object")
	for _, id := range one.Clients {
		status, _, body := read(api, id, got.AccessToken)
		var answer map[string]string
		check(json.Unmarshal(body, &answer) == nil, "the answer is JSON")
		equal(status, 200, "status for the token's own client")
		equal(answer["accounts_of"], id, "client of the answer")
		at := slices.IndexFunc(claims.Mandates, func(m mandate) bool { return slices.Contains(m.Clients, id) })
		wanted := 403
		if slices.Contains(claims.Mandates[at].Permissions, "can_trade") {
			wanted = 200
		}
		status, _, _ = send("POST", api+"/trades?client_id="+id, bearerOf(got.AccessToken), "")
		equal(status, wanted, "status of a trade")
	}
	others := 0
	for _, other := range told.Contacts {
		for _, id := range other.Clients {
			if slices.Contains(one.Clients, id) {
				continue
			}
			others++
			status, _, body := read(api, id, got.AccessToken)
			equal(status, 403, "status for another's client")
			check(strings.Contains(string(body), `"client_not_allowed"`), "code for another's client")
		}
	}
	check(others > 0, "the demo has clients of others")
	status, header, body := read(api, one.Clients[0], got.IDToken)
	equal(status, 401, "status for an ID token")
	equal(string(body), "", "body for an ID token")
	challenge := header.Get("WWW-Authenticate")
	check(strings.Contains(challenge, `error="invalid_token"`), "the challenge after an ID token")
	status, header, _ = send("GET", api+"/accounts?client_id="+one.Clients[0], nil, "")
	equal(status, 401, "status without a token")
	check(!strings.Contains(header.Get("WWW-Authenticate"), "error"), "the challenge without a token names no error")
	token, accounts := got.AccessToken, api+"/accounts?client_id="+one.Clients[0]
	twice := http.Header{"Authorization": {"Bearer " + token, "Bearer " + token}}
	status, _, _ = send("GET", accounts, twice, "")
	equal(status, 400, "status of two Authorization headers")
	status, _, _ = send("GET", accounts+"&client_id="+one.Clients[0], bearerOf(token), "")
	equal(status, 400, "status of a repeated client_id")
	status, _, _ = send("GET", accounts+"&access_token="+token, nil, "")
	equal(status, 400, "status of a token in the query")
}

// A server that can't be asked about a token is a 503, never a 200.
func failsClosed(told *demo, api string, guard *Guard) {
	one := told.Contacts[0]
	got, before := tokensFor(told, one), guard.StillActive
	guard.StillActive = Introspection(client, told.BaseURL+"/nowhere", "resource", "secret")
	status, header, _ := read(api, one.Clients[0], got.AccessToken)
	equal(status, 503, "status when the server can't be asked")
	equal(header.Get("Retry-After"), "1", "Retry-After when the server can't be asked")
	guard.StillActive = func(string) (bool, error) { return false, nil }
	status, _, _ = read(api, one.Clients[0], got.AccessToken)
	equal(status, 401, "status of a token that is not active")
	guard.StillActive = before
}

func deadTokensAreRefused(told *demo, api string, guard *Guard, revocation string, wrong func(string) (bool, error)) {
	one := told.Contacts[0]
	got, before := tokensFor(told, one), guard.StillActive
	guard.StillActive = wrong
	status, _, _ := read(api, one.Clients[0], got.AccessToken)
	equal(status, 503, "status with a wrong secret of the resource")
	guard.StillActive = before
	status, _, _ = read(api, one.Clients[0], got.AccessToken)
	equal(status, 200, "status before the token is revoked")
	if revocation == "" {
		fmt.Println("skipped revocation: the server does not say that it serves it")
		return
	}
	form := url.Values{"token": {got.AccessToken}}.Encode()
	status, _, _ = send("POST", revocation, basic(told.ApplicationID, told.ApplicationSecret), form)
	equal(status, 200, "status of the revocation")
	status, _, _ = read(api, one.Clients[0], got.AccessToken)
	equal(status, 401, "status after the token was revoked")
}

func tokensFor(told *demo, one contact) tokens {
	header := basic(told.ApplicationID, told.ApplicationSecret)
	status, _, body := send("POST", told.BaseURL+"/token/"+url.PathEscape(one.ContactID), header, "")
	equal(status, 200, "status of a token")
	var got tokens
	check(json.Unmarshal(body, &got) == nil, "the tokens are JSON")
	return got
}

func read(api, id, token string) (int, http.Header, []byte) {
	return send("GET", api+"/accounts?client_id="+url.QueryEscape(id), bearerOf(token), "")
}

func bearerOf(token string) http.Header {
	return http.Header{"Authorization": {"Bearer " + token}}
}

func basic(user, secret string) http.Header {
	pair := url.QueryEscape(user) + ":" + url.QueryEscape(secret)
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(pair))}}
}

func send(method, uri string, header http.Header, form string) (int, http.Header, []byte) {
	request, err := http.NewRequest(method, uri, strings.NewReader(form))
	if err != nil {
		fail(err)
	}
	if header != nil {
		request.Header = header
	}
	if form != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := client.Do(request)
	if err != nil {
		fail(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		fail(err)
	}
	return response.StatusCode, response.Header, body
}

func readFile(name string, value any) {
	text, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(text, value)
	}
	if err != nil {
		fail(err)
	}
}

func equal(seen, wanted any, what string) {
	check(reflect.DeepEqual(seen, wanted), fmt.Sprintf("%s: %v, not %v", what, seen, wanted))
}

func check(holds bool, what string) {
	if !holds {
		fail(what)
	}
	checks++
}

func fail(what any) {
	fmt.Fprintln(os.Stderr, "FAILED:", what)
	os.Exit(1)
}
