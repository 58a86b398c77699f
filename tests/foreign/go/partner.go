// A partner's program with Go's own HTTP client: a contact token by mutual TLS.

package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

type tlsDemo struct {
	BaseURL string `json:"base_url"`
	CAFile  string `json:"ca_file"`
	MTLS    struct {
		ApplicationID   string `json:"application_id"`
		CertificateFile string `json:"certificate_file"`
		KeyFile         string `json:"key_file"`
		ContactID       string `json:"contact_id"`
	}
}

// region mutual_tls

// A client whose connections show a certificate to a server that asks for one; without files none.
func partner(caFile, certificateFile, keyFile string) (*http.Client, error) {
	authority, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	if !config.RootCAs.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s holds no certificate", caFile)
	}
	if certificateFile != "" {
		pair, err := tls.LoadX509KeyPair(certificateFile, keyFile)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}, nil
}

// The certificate of the connection is the proof; the form says whose it should be.
func tokenByCertificate(client *http.Client, baseURL, application, contact string) (*http.Response, error) {
	return client.PostForm(baseURL+"/token/"+contact, url.Values{"client_id": {application}})
}

// endregion mutual_tls

// runPartner checks what a partner gets, by the line that `procura demo --tls --json` prints.
func runPartner(file string) {
	var told tlsDemo
	readFile(file, &told)
	stranger, err := partner(told.CAFile, "", "")
	check(err == nil, fmt.Sprint("a client without a certificate: ", err))
	own, err := partner(told.CAFile, told.MTLS.CertificateFile, told.MTLS.KeyFile)
	check(err == nil, fmt.Sprint("a client with its certificate: ", err))

	application, contact := told.MTLS.ApplicationID, told.MTLS.ContactID
	var access string
	for range 2 { // The second time on the same connection.
		status, body, protocol := answered(tokenByCertificate(own, told.BaseURL, application, contact))
		equal(status, 200, "status by certificate: "+string(body))
		equal(protocol, "HTTP/2.0", "protocol of the answer")
		var got tokens
		check(json.Unmarshal(body, &got) == nil && got.IDToken != "", "the tokens are JSON")
		var claims struct {
			Confirmation map[string]string `json:"cnf"`
		}
		_, err := strictObject(strings.Split(got.AccessToken, ".")[1], &claims)
		check(err == nil, "the claims are one object")
		pair, _ := tls.LoadX509KeyPair(told.MTLS.CertificateFile, told.MTLS.KeyFile)
		equal(claims.Confirmation, map[string]string{"x5t#S256": thumbprint(pair.Certificate[0])}, "cnf")
		access = got.AccessToken
	}
	list := told.BaseURL + "/info/available-contacts?client_id=" + application
	status, body, _ := answered(own.Get(list))
	var contacts struct{ Data []string }
	check(json.Unmarshal(body, &contacts) == nil && status == 200, "the list by certificate")
	check(slices.Contains(contacts.Data, contact), "the contact is in the list")

	for client, wanted := range map[*http.Client]int{own: 200, stranger: 401} {
		request, _ := http.NewRequest("GET", told.BaseURL+"/clients", nil)
		request.Header = bearerOf(access)
		status, _, _ := answered(client.Do(request))
		equal(status, wanted, "status of the own API with and without the certificate")
	}
	for _, somebody := range []string{application, "app_nobody"} {
		status, body, _ := answered(tokenByCertificate(stranger, told.BaseURL, somebody, contact))
		equal(status, 496, "status without a certificate, as "+somebody)
		equal(len(body), 0, "bytes of that answer")
	}
	status, body, _ = answered(tokenByCertificate(own, told.BaseURL, "app_nobody", contact))
	equal(status, 495, "status with another's name")
	check(strings.Contains(string(body), `"invalid_client"`), "code with another's name")
}

func answered(response *http.Response, err error) (int, []byte, string) {
	if err != nil {
		fail(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	check(err == nil, "the answer came whole")
	return response.StatusCode, body, response.Proto
}
