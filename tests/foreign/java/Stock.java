// A partner's program on Nimbus OAuth 2.0 SDK, which nobody here wrote: contact tokens by the JWT bearer grant and by
// token exchange, with private_key_jwt and DPoP, and with mutual TLS; and their use.
//
// Usage: java Stock DEMO API, where DEMO holds the line that `procura demo --tls --json` prints and API is where
// examples/payments listens. The last line says how much was checked; the first thing that is not right ends the
// program.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import com.nimbusds.oauth2.sdk.AuthorizationGrant;
import com.nimbusds.oauth2.sdk.ClientCredentialsGrant;
import com.nimbusds.oauth2.sdk.JWTBearerGrant;
import com.nimbusds.oauth2.sdk.Scope;
import com.nimbusds.oauth2.sdk.TokenRequest;
import com.nimbusds.oauth2.sdk.TokenResponse;
import com.nimbusds.oauth2.sdk.as.AuthorizationServerMetadata;
import com.nimbusds.oauth2.sdk.auth.ClientAuthentication;
import com.nimbusds.oauth2.sdk.auth.PKITLSClientAuthentication;
import com.nimbusds.oauth2.sdk.auth.PrivateKeyJWT;
import com.nimbusds.oauth2.sdk.dpop.DPoPProofFactory;
import com.nimbusds.oauth2.sdk.dpop.DefaultDPoPProofFactory;
import com.nimbusds.oauth2.sdk.http.HTTPRequest;
import com.nimbusds.oauth2.sdk.http.HTTPResponse;
import com.nimbusds.oauth2.sdk.id.ClientID;
import com.nimbusds.oauth2.sdk.id.Issuer;
import com.nimbusds.oauth2.sdk.token.AccessToken;
import com.nimbusds.oauth2.sdk.token.AccessTokenType;
import com.nimbusds.oauth2.sdk.token.BearerAccessToken;
import com.nimbusds.oauth2.sdk.token.TokenTypeURI;
import com.nimbusds.oauth2.sdk.token.TypelessAccessToken;
import com.nimbusds.oauth2.sdk.tokenexchange.TokenExchangeGrant;
import com.nimbusds.openid.connect.sdk.Nonce;
import com.nimbusds.openid.connect.sdk.OIDCTokenResponse;
import com.nimbusds.openid.connect.sdk.OIDCTokenResponseParser;
import com.nimbusds.openid.connect.sdk.validators.IDTokenValidator;
import java.io.ByteArrayInputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.Date;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;

final class Stock {
    private static int checks = 0;

    public static void main(String[] arguments) throws Exception {
        if (arguments.length != 2) throw new IllegalArgumentException("usage: java Stock DEMO API");
        var demo = new JsonMapper().readTree(Files.readString(Path.of(arguments[0])));
        var issuer = new Issuer(demo.get("issuer").textValue());
        var ca = demo.get("ca_file").textValue();
        var key = privateKey(demo.get("grant_key_file").textValue());
        byKey(demo, issuer, key, tls(ca, null, null), arguments[1]);
        var told = demo.get("fapi2_mtls");
        var shown = tls(ca, told.get("certificate_file").textValue(), told.get("key_file").textValue());
        byCertificate(demo, issuer, key, shown, tls(ca, null, null));
        System.out.println(checks + " checks passed");
    }

    // region nimbus_partner
    /** A partner's program: who it is, how it proves itself, and the key that its grants are signed with. */
    record Partner(AuthorizationServerMetadata server, ClientID id, PrivateKey key, DPoPProofFactory proofs,
            SSLSocketFactory tls) {

        /** A JWT that asks for one contact. It is good for a minute, and once. */
        SignedJWT grant(String contact) throws Exception {
            var type = new JOSEObjectType("authorization-grant+jwt");
            var claims = new JWTClaimsSet.Builder()
                .issuer(id.getValue()).subject(contact).audience(server.getIssuer().getValue())
                .issueTime(new Date()).expirationTime(new Date(System.currentTimeMillis() + 60_000))
                .jwtID(UUID.randomUUID().toString())
                .build();
            var assertion = new SignedJWT(new JWSHeader.Builder(JWSAlgorithm.ES256).type(type).build(), claims);
            assertion.sign(new ECDSASigner(key, Curve.P_256));
            return assertion;
        }

        AuthorizationGrant bearer(SignedJWT assertion) {
            return new JWTBearerGrant(assertion);
        }

        /** An ID token comes here when the scope names `openid`. */
        AuthorizationGrant exchange(SignedJWT assertion) {
            return new TokenExchangeGrant(new TypelessAccessToken(assertion.serialize()), TokenTypeURI.JWT);
        }

        /** Without proofs the certificate of the connection shows who asks, and the token is bound to that. */
        ClientAuthentication authentication() throws Exception {
            if (proofs == null) return new PKITLSClientAuthentication(id, tls);
            return new PrivateKeyJWT(id, URI.create(server.getIssuer().getValue()), JWSAlgorithm.ES256, key, null, null);
        }

        /** Once more where the server asks for a nonce, as it does when it has just started. */
        TokenResponse ask(AuthorizationGrant grant, Scope scope, URI resource) throws Exception {
            var answer = once(grant, scope, resource, null);
            var told = OIDCTokenResponseParser.parse(answer);
            if (told.indicatesSuccess() || !isFor(told, "use_dpop_nonce")) return told;
            return OIDCTokenResponseParser.parse(once(grant, scope, resource, answer.getDPoPNonce()));
        }

        /** One request. What proves the application in it, and its proof, are good for it alone. */
        HTTPResponse once(AuthorizationGrant grant, Scope scope, URI resource, Nonce nonce) throws Exception {
            var aliases = proofs == null ? server.getReadOnlyMtlsEndpointAliases() : null;
            var endpoint = (aliases == null ? server : aliases).getTokenEndpointURI();
            var asked = new TokenRequest.Builder(endpoint, authentication(), grant).scope(scope);
            var request = (resource == null ? asked : asked.resource(resource)).build().toHTTPRequest();
            if (proofs != null) request.setDPoP(proofs.createDPoPJWT("POST", endpoint, nonce));
            return sent(request, tls);
        }

        static boolean isFor(TokenResponse told, String error) {
            return error.equals(told.toErrorResponse().getErrorObject().getCode());
        }
    }
    // endregion nimbus_partner

    private static void byKey(JsonNode demo, Issuer issuer, PrivateKey key, SSLSocketFactory tls, String api)
            throws Exception {
        var told = demo.get("fapi2");
        var id = new ClientID(told.get("application_id").textValue());
        var contact = told.get("contact_id").textValue();
        var resource = URI.create(demo.get("payments_resource_id").textValue());
        // region nimbus_dpop
        var server = discovered(issuer, tls);
        // Every token is bound to this key. It may be new whenever the program starts.
        var proofs = new DefaultDPoPProofFactory(new ECKeyGenerator(Curve.P_256).generate(), JWSAlgorithm.ES256);
        var partner = new Partner(server, id, key, proofs, tls);
        var assertion = partner.grant(contact);
        var answer = partner.ask(partner.bearer(assertion), null, resource);
        // endregion nimbus_dpop
        var token = forContact(answer, partner, contact, resource);
        bound(token, "jkt");
        refused(partner.ask(partner.bearer(assertion), null, resource), 400, "invalid_grant", "the assertion again");
        refused(partner.ask(partner.exchange(assertion), null, resource), 400, "invalid_grant", "and exchanged");
        var nobody = partner.ask(partner.bearer(partner.grant("CON3002")), null, null);
        refused(nobody, 400, "invalid_grant", "a contact that nobody gave a mandate");

        var openid = new Scope("openid");
        var exchanged = partner.ask(partner.exchange(partner.grant(contact)), openid, resource);
        var another = forContact(exchanged, partner, contact, resource);
        bound(another, "jkt");
        equal(another.getIssuedTokenType(), TokenTypeURI.ACCESS_TOKEN, "issued_token_type");
        var other = partner.ask(partner.exchange(partner.grant(contact)), new Scope("openid", "can_fly"), resource);
        refused(other, 400, "invalid_scope", "a permission that there is not");

        own(partner, "jkt");
        var waiting = partner.bearer(partner.grant(contact));
        // Where none is required, a nonce of another process says nothing.
        var stale = OIDCTokenResponseParser.parse(partner.once(waiting, null, resource, new Nonce("stale")));
        bound(forContact(stale, partner, contact, resource), "jkt");
        atApi(token, proofs, URI.create(api + "/payments"));
    }

    private static void atApi(AccessToken token, DPoPProofFactory proofs, URI url) throws Exception {
        // region nimbus_use
        var request = new HTTPRequest(HTTPRequest.Method.GET, url);
        request.setAuthorization(token.toAuthorizationHeader());
        request.setDPoP(proofs.createDPoPJWT("GET", url, token)); // A proof names the URL without its query.
        request.appendQueryString("client_id=CLI1001");
        // endregion nimbus_use
        var first = sent(request, null);
        if (first.getDPoPNonce() != null) { // An API that has just started asks for one.
            request.setDPoP(proofs.createDPoPJWT("GET", url, token, first.getDPoPNonce()));
            first = sent(request, null);
        }
        equal(first.getStatusCode(), 200, "status at the API");
        equal(sent(request, null).getStatusCode(), 401, "status of the same proof again");
        request.setDPoP(null);
        var named = sent(request, null);
        equal(named.getStatusCode(), 401, "status of the token without a proof");
        check(named.getWWWAuthenticate().startsWith("DPoP "), "the challenge asks for a proof");
        request.setAuthorization(new BearerAccessToken(token.getValue()).toAuthorizationHeader());
        equal(sent(request, null).getStatusCode(), 401, "status of the token without a proof, as Bearer");
        var thief = new DefaultDPoPProofFactory(new ECKeyGenerator(Curve.P_256).generate(), JWSAlgorithm.ES256);
        request.setAuthorization(token.toAuthorizationHeader());
        request.setDPoP(thief.createDPoPJWT("GET", url, token));
        equal(sent(request, null).getStatusCode(), 401, "status of the token with a proof of another key");
    }

    private static void byCertificate(JsonNode demo, Issuer issuer, PrivateKey key, SSLSocketFactory shown,
            SSLSocketFactory stranger) throws Exception {
        var told = demo.get("fapi2_mtls");
        var id = new ClientID(told.get("application_id").textValue());
        var contact = told.get("contact_id").textValue();
        var resource = URI.create(demo.get("resource_id").textValue());
        // region nimbus_mutual_tls
        var server = discovered(issuer, shown);
        var partner = new Partner(server, id, key, null, shown);
        var assertion = partner.grant(contact);
        var answer = partner.ask(partner.bearer(assertion), null, null);
        // endregion nimbus_mutual_tls
        var token = forContact(answer, partner, contact, resource);
        bound(token, "x5t#S256");
        refused(partner.ask(partner.bearer(assertion), null, null), 400, "invalid_grant", "the assertion again");
        var exchanged = partner.ask(partner.exchange(partner.grant(contact)), new Scope("openid"), null);
        bound(forContact(exchanged, partner, contact, resource), "x5t#S256");
        own(partner, "x5t#S256");

        var url = URI.create(demo.get("base_url").textValue() + "/clients");
        var request = new HTTPRequest(HTTPRequest.Method.GET, url);
        request.setAuthorization(token.toAuthorizationHeader());
        equal(sent(request, shown).getStatusCode(), 200, "status at the own API");
        equal(sent(request, stranger).getStatusCode(), 401, "status of the token without the certificate");
        var without = new Partner(server, id, key, null, stranger);
        var asked = without.ask(without.bearer(without.grant(contact)), null, null);
        refused(asked, 401, "invalid_client", "a grant without the certificate");
    }

    private static void own(Partner partner, String name) throws Exception {
        var answer = partner.ask(new ClientCredentialsGrant(), null, null);
        check(answer.indicatesSuccess(), "an own token");
        var tokens = ((OIDCTokenResponse) answer).getOIDCTokens();
        equal(tokens.getIDToken(), null, "an ID token");
        var claims = SignedJWT.parse(tokens.getAccessToken().getValue()).getJWTClaimsSet();
        equal(claims.getSubject(), partner.id().getValue(), "sub of the own token");
        bound(tokens.getAccessToken(), name);
    }

    /** What every contact token has. The library verifies the ID token. */
    private static AccessToken forContact(TokenResponse answer, Partner partner, String contact, URI resource)
            throws Exception {
        if (!answer.indicatesSuccess()) throw wrong("a token: " + answer.toErrorResponse().getErrorObject());
        var tokens = ((OIDCTokenResponse) answer).getOIDCTokens();
        var token = tokens.getAccessToken();
        var type = partner.proofs() == null ? AccessTokenType.BEARER : AccessTokenType.DPOP;
        equal(token.getType(), type, "token_type");
        check(token.getLifetime() > 0 && tokens.getRefreshToken() == null, "how long");
        var claims = SignedJWT.parse(token.getValue()).getJWTClaimsSet();
        equal(claims.getSubject(), contact, "for whom");
        equal(claims.getJSONObjectClaim("act").get("sub"), partner.id().getValue(), "who acts");
        equal(claims.getAudience(), List.of(resource.toString()), "where");
        equal(token.getScope(), Scope.parse(claims.getStringClaim("scope")), "scope");
        // region nimbus_id_token
        var jwks = new HTTPRequest(HTTPRequest.Method.GET, partner.server().getJWKSetURI());
        var keys = JWKSet.parse(sent(jwks, partner.tls()).getBody());
        var validator = new IDTokenValidator(partner.server().getIssuer(), partner.id(), JWSAlgorithm.ES256, keys);
        var identity = validator.validate(tokens.getIDToken(), null);
        // endregion nimbus_id_token
        equal(identity.getSubject().getValue(), contact, "sub of the ID token");
        return token;
    }

    private static void bound(AccessToken token, String name) throws Exception {
        var confirmation = SignedJWT.parse(token.getValue()).getJWTClaimsSet().getJSONObjectClaim("cnf");
        equal(confirmation.keySet(), Set.of(name), "cnf");
    }

    private static void refused(TokenResponse answer, int status, String code, String what) throws Exception {
        if (answer.indicatesSuccess()) throw wrong(what + ": a token");
        var error = answer.toErrorResponse().getErrorObject();
        equal(error.getHTTPStatusCode() + " " + error.getCode(), status + " " + code, what);
    }

    private static AuthorizationServerMetadata discovered(Issuer issuer, SSLSocketFactory tls) throws Exception {
        return AuthorizationServerMetadata.resolve(issuer, request -> request.setSSLSocketFactory(tls));
    }

    private static HTTPResponse sent(HTTPRequest request, SSLSocketFactory tls) throws Exception {
        request.setConnectTimeout(20_000);
        request.setReadTimeout(20_000);
        if (tls != null) request.setSSLSocketFactory(tls);
        return request.send();
    }

    /** Connections that trust this CA, and that show a certificate to a server that asks for one. */
    private static SSLSocketFactory tls(String caFile, String certificateFile, String keyFile) throws Exception {
        var trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry("ca", certificate(caFile));
        var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        var own = KeyStore.getInstance("PKCS12");
        own.load(null, null);
        if (certificateFile != null) {
            var chain = new Certificate[] {certificate(certificateFile)};
            own.setKeyEntry("partner", privateKey(keyFile), new char[0], chain);
        }
        var shown = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        shown.init(own, new char[0]);
        var context = SSLContext.getInstance("TLS");
        context.init(shown.getKeyManagers(), trust.getTrustManagers(), null);
        return context.getSocketFactory();
    }

    private static Certificate certificate(String file) throws Exception {
        var pem = Files.readAllBytes(Path.of(file));
        return CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(pem));
    }

    private static PrivateKey privateKey(String file) throws Exception {
        var pem = Files.readString(Path.of(file)).replaceAll("-----[A-Z ]+-----", "");
        var encoded = new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(pem));
        return KeyFactory.getInstance("EC").generatePrivate(encoded);
    }

    private static void equal(Object seen, Object wanted, String what) {
        check(Objects.equals(seen, wanted), what + ": " + seen + ", not " + wanted);
    }

    private static void check(boolean holds, String what) {
        if (!holds) throw wrong(what);
        checks += 1;
    }

    private static AssertionError wrong(String what) {
        return new AssertionError("FAILED: " + what);
    }
}
