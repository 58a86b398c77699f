// A partner's program on golang.org/x/oauth2, which nobody here wrote: contact tokens by the JWT bearer grant and by
// token exchange, with a secret and with mutual TLS; and their use.

package main

// region oauth2_imports
import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const (
	jwtBearer     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	typeJWT       = "urn:ietf:params:oauth:token-type:jwt"
)

// endregion oauth2_imports

type stockDemo struct {
	BaseURL           string `json:"base_url"`
	Issuer            string
	CAFile            string `json:"ca_file"`
	GrantKeyFile      string `json:"grant_key_file"`
	ApplicationID     string `json:"application_id"`
	ApplicationSecret string `json:"application_secret"`
	ResourceID        string `json:"resource_id"`
	PaymentsID        string `json:"payments_resource_id"`
	Contacts          []struct {
		ContactID string `json:"contact_id"`
		Clients   []string
	}
	Fapi2MTLS struct {
		ApplicationID   string `json:"application_id"`
		CertificateFile string `json:"certificate_file"`
		KeyFile         string `json:"key_file"`
		ContactID       string `json:"contact_id"`
	} `json:"fapi2_mtls"`
}

type serverMetadata struct {
	TokenEndpoint string `json:"token_endpoint"`
	JWKSURI       string `json:"jwks_uri"`
	Aliases       struct {
		TokenEndpoint string `json:"token_endpoint"`
	} `json:"mtls_endpoint_aliases"`
}

// region oauth2_grant

// A JWT that asks for one contact. It is good for a minute, and once.
func grantFor(key any, issuer, application, contact string) (string, error) {
	options := (&jose.SignerOptions{}).WithType("authorization-grant+jwt")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		return "", err
	}
	now := time.Now()
	claims := map[string]any{
		"iss": application, "sub": contact, "aud": issuer,
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": rand.Text(),
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

// The grant takes the place of client_credentials in what that package sends; resource and scope go beside it.
func byAssertion(config clientcredentials.Config, assertion string, more url.Values) *clientcredentials.Config {
	return with(config, more, url.Values{"grant_type": {jwtBearer}, "assertion": {assertion}})
}

// An ID token comes here when `openid` asks for it.
func byExchange(config clientcredentials.Config, assertion string, more url.Values) *clientcredentials.Config {
	config.Scopes = append(config.Scopes, "openid")
	exchanged := url.Values{
		"grant_type": {tokenExchange}, "subject_token": {assertion}, "subject_token_type": {typeJWT},
	}
	return with(config, more, exchanged)
}

func with(config clientcredentials.Config, groups ...url.Values) *clientcredentials.Config {
	config.EndpointParams = url.Values{}
	for _, group := range groups {
		for name, values := range group {
			config.EndpointParams[name] = values
		}
	}
	return &config
}

// endregion oauth2_grant

// runStock checks what a partner gets, by the line that `procura demo --tls --json` prints.
func runStock(file, api string) {
	var demo stockDemo
	readFile(file, &demo)
	plain, err := partner(demo.CAFile, "", "")
	check(err == nil, fmt.Sprint("a client without a certificate: ", err))
	var server serverMetadata
	status, body, _ := answered(plain.Get(demo.Issuer + "/.well-known/oauth-authorization-server"))
	check(status == 200 && json.Unmarshal(body, &server) == nil, "the metadata")
	var keys jose.JSONWebKeySet
	status, body, _ = answered(plain.Get(server.JWKSURI))
	check(status == 200 && json.Unmarshal(body, &keys) == nil, "the keys")
	text, err := os.ReadFile(demo.GrantKeyFile)
	check(err == nil, "the key's file")
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	check(err == nil, "the key")
	stock := stock{demo, server, keys, key}
	stock.bySecret(plain, api)
	stock.byCertificate(plain)
	fmt.Printf("%d checks passed\n", checks)
}

type stock struct {
	demo   stockDemo
	server serverMetadata
	keys   jose.JSONWebKeySet
	key    any
}

func (s stock) bySecret(plain *http.Client, api string) {
	application, secret, contact := s.demo.ApplicationID, s.demo.ApplicationSecret, s.demo.Contacts[0]
	// region oauth2_secret
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, plain)
	config := clientcredentials.Config{
		ClientID: application, ClientSecret: secret,
		TokenURL: s.server.TokenEndpoint, AuthStyle: oauth2.AuthStyleInHeader,
	}
	assertion, err := grantFor(s.key, s.demo.Issuer, application, contact.ContactID)
	check(err == nil, "an assertion")
	grant := byAssertion(config, assertion, url.Values{"resource": {s.demo.PaymentsID}})
	token, err := grant.Token(ctx)
	// endregion oauth2_secret
	s.isForContact(token, err, application, contact.ContactID, s.demo.PaymentsID)
	acting := oauth2.NewClient(ctx, oauth2.StaticTokenSource(token))
	status, _, _ := answered(acting.Get(api + "/payments?client_id=" + contact.Clients[0]))
	equal(status, 200, "status at the API")
	status, _, _ = answered(acting.Get(api + "/payments?client_id=CLI1004"))
	equal(status, 403, "status for another's client")
	_, err = grant.Token(ctx)
	refusedAs(err, "invalid_grant", "the same assertion again")
	_, err = byExchange(config, assertion, nil).Token(ctx)
	refusedAs(err, "invalid_grant", "the same assertion exchanged")

	exchanged, err := byExchange(config, s.fresh(application, contact.ContactID), nil).Token(ctx)
	s.isForContact(exchanged, err, application, contact.ContactID, s.demo.ResourceID)
	equal(exchanged.Extra("issued_token_type"), any("urn:ietf:params:oauth:token-type:access_token"), "what was issued")
	_, err = byAssertion(config, s.fresh(application, "CON3002"), nil).Token(ctx)
	refusedAs(err, "invalid_grant", "a contact that nobody gave a mandate")

	own, err := config.Token(ctx)
	check(err == nil && own.Extra("id_token") == nil && own.Extra("scope") == nil, fmt.Sprint("the own token: ", err))
	equal(s.claims(own.AccessToken)["sub"], any(application), "sub of the own token")
	config.ClientSecret = "pcs_" + rand.Text()
	_, err = byAssertion(config, s.fresh(application, contact.ContactID), nil).Token(ctx)
	refusedAs(err, "invalid_client", "an assertion beside a wrong secret")
}

func (s stock) byCertificate(plain *http.Client) {
	told := s.demo.Fapi2MTLS
	application, contact := told.ApplicationID, told.ContactID
	// region oauth2_mutual_tls
	shown, err := partner(s.demo.CAFile, told.CertificateFile, told.KeyFile)
	check(err == nil, fmt.Sprint("a client with its certificate: ", err))
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, shown)
	endpoint := s.server.Aliases.TokenEndpoint
	if endpoint == "" {
		endpoint = s.server.TokenEndpoint
	}
	// The certificate of the connection is the proof; the form says whose it should be.
	config := clientcredentials.Config{
		ClientID: application, TokenURL: endpoint, AuthStyle: oauth2.AuthStyleInParams,
	}
	assertion, err := grantFor(s.key, s.demo.Issuer, application, contact)
	check(err == nil, "an assertion")
	token, err := byAssertion(config, assertion, nil).Token(ctx)
	// endregion oauth2_mutual_tls
	s.isForContact(token, err, application, contact, s.demo.ResourceID)
	check(s.claims(token.AccessToken)["cnf"].(map[string]any)["x5t#S256"] != nil, "bound to the certificate")
	acting := oauth2.NewClient(ctx, oauth2.StaticTokenSource(token))
	status, _, _ := answered(acting.Get(s.demo.BaseURL + "/clients"))
	equal(status, 200, "status at the own API")
	strangers := context.WithValue(context.Background(), oauth2.HTTPClient, plain)
	stolen := oauth2.NewClient(strangers, oauth2.StaticTokenSource(token))
	status, body, _ := answered(stolen.Get(s.demo.BaseURL + "/clients"))
	equal(status, 401, "status of the token without the certificate")
	equal(len(body), 0, "bytes of that answer")
	_, err = byAssertion(config, assertion, nil).Token(ctx)
	refusedAs(err, "invalid_grant", "the same assertion again")
	exchanged, err := byExchange(config, s.fresh(application, contact), nil).Token(ctx)
	s.isForContact(exchanged, err, application, contact, s.demo.ResourceID)
	_, err = byAssertion(config, s.fresh(application, contact), nil).Token(strangers)
	refusedAs(err, "invalid_client", "a grant without the certificate")
}

func (s stock) fresh(application, contact string) string {
	assertion, err := grantFor(s.key, s.demo.Issuer, application, contact)
	check(err == nil, "an assertion")
	return assertion
}

// What every contact token has, and its ID token.
func (s stock) isForContact(token *oauth2.Token, err error, application, contact, resource string) {
	check(err == nil, fmt.Sprint("a token: ", err))
	equal(token.TokenType, "Bearer", "token_type")
	check(token.Valid() && token.RefreshToken == "", "how long")
	claims := s.claims(token.AccessToken)
	equal(claims["sub"], any(contact), "for whom")
	equal(claims["act"], any(map[string]any{"sub": application}), "who acts")
	equal(claims["aud"], any(resource), "where")
	equal(token.Extra("scope"), claims["scope"], "scope")
	idToken, _ := token.Extra("id_token").(string)
	identity := s.claims(idToken)
	named := []any{identity["iss"], identity["aud"], identity["sub"]}
	equal(named, []any{s.demo.Issuer, application, contact}, "the ID token")
}

// The claims of a JWT that the server signed.
func (s stock) claims(token string) map[string]any {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	check(err == nil, "a JWT")
	claims := map[string]any{}
	check(parsed.Claims(s.keys, &claims) == nil, "its signature")
	return claims
}

func refusedAs(err error, code, what string) {
	var told *oauth2.RetrieveError
	check(errors.As(err, &told), fmt.Sprint(what, ": ", err))
	equal(told.ErrorCode, code, what)
}
