// Protects an HTTP API in Java with Nimbus JOSE+JWT. docs/protect-an-api.md shows the regions of this file.

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSObject;
import com.nimbusds.jose.KeySourceException;
import com.nimbusds.jose.crypto.factories.DefaultJWSVerifierFactory;
import com.nimbusds.jose.jwk.AsymmetricJWK;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.OctetKeyPair;
import com.nimbusds.jose.jwk.source.JWKSetBasedJWKSource;
import com.nimbusds.jose.jwk.source.JWKSetCacheRefreshEvaluator;
import com.nimbusds.jose.jwk.source.JWKSetSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.jwk.source.RateLimitReachedException;
import com.nimbusds.jose.proc.SecurityContext;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsExchange;
import java.io.IOException;
import java.net.URI;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.Signature;
import java.security.cert.CertificateEncodingException;
import java.security.spec.X509EncodedKeySpec;
import java.text.ParseException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import javax.net.ssl.SSLPeerUnverifiedException;

/** Who may do what: what a handler gets to know. */
record ActingFor(String contact, String application, String client, Set<String> permissions, String presence) {}

/**
 * What a request says by its raw query and its headers (names in lower case), and the certificate that its caller
 * showed in the TLS handshake, DER; null if it showed none.
 */
record Caller(String query, Map<String, List<String>> headers, byte[] certificate) {}

/** What a route asks for. Without a permission, authority to read is enough. */
record Route(String permission, boolean person) {}

/** The answer instead of the handler's: the code is for the body, the error for WWW-Authenticate. */
final class Refused extends RuntimeException {
    private static final Map<String, String> MESSAGES = Map.of(
        "invalid_request", "The request is malformed.",
        "no_contact", "The token acts for no contact.",
        "contact_mismatch", "X-Contact-ID is not the token's contact.",
        "client_not_allowed", "client_id must be one of the token's clients.",
        "insufficient_permission", "The token lacks the permission for this client.",
        "person_required", "This call needs a person who signed in.",
        "temporarily_unavailable", "The token can't be checked now.");

    final int status;
    final String code;
    final String error;
    final String scope;

    Refused(int status, String code, String error, String scope) {
        super(status + " " + code + " " + error, null, false, false);
        this.status = status;
        this.code = code;
        this.error = error;
        this.scope = scope;
    }

    Refused(int status, String code) {
        this(status, code, null, null);
    }

    static Refused malformed() {
        return new Refused(400, "invalid_request", "invalid_request", null);
    }

    static Refused unavailable() {
        return new Refused(503, "temporarily_unavailable");
    }

    /** Whatever is wrong with a token, the answer is the same. */
    static void unless(boolean holds) {
        if (!holds) throw new Refused(401, null, "invalid_token", null);
    }

    Map<String, String> headers(String realm) {
        var headers = new LinkedHashMap<String, String>();
        if (status == 401 || error != null) {
            var challenge = "Bearer realm=\"" + realm + "\"";
            if (error != null) challenge += ", error=\"" + error + "\"";
            if (scope != null) challenge += ", scope=\"" + scope + "\"";
            headers.put("WWW-Authenticate", challenge);
        }
        if (status == 503) headers.put("Retry-After", "1");
        if (code != null) headers.put("Content-Type", "application/json");
        return headers;
    }

    Map<String, String> body() {
        return code == null ? null : Map.of("code", code, "message", MESSAGES.get(code), "details", "");
    }
}

final class Guard {
    private static final Set<String> ALGORITHMS = Set.of("ES256", "RS256", "PS256", "EdDSA");
    private static final long LEEWAY = 5;
    private static final int LONGEST = 16 * 1024;
    private static final String UNATTENDED = "urn:procura:acr:unattended";
    private static final Pattern PARTY = Pattern.compile("(?!app_|\\.{1,2}\\z)[A-Za-z0-9._-]{1,64}");
    private static final Pattern APPLICATION = Pattern.compile("app_[A-Za-z0-9]{1,60}");
    private static final Pattern BEARER = Pattern.compile("(?i)bearer(?![A-Za-z0-9_-])");
    private static final Pattern CREDENTIALS = Pattern.compile("(?i)bearer ([A-Za-z0-9._~+/-]+=*)");
    private static final Set<String> PERMISSIONS = Set.of(
        "can_authorise_payments", "can_make_same_currency_payments", "can_manage_beneficiaries",
        "can_manage_beneficiaries_groups", "can_manage_contacts", "can_manage_fix_forwards",
        "can_manage_multipayments", "can_manage_payments", "can_manage_permissions", "can_trade");
    /** Nimbus refuses a repeated member only at the top; Jackson can at every depth. */
    private static final JsonMapper STRICT = JsonMapper.builder()
        .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
        .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
        .build();
    private static final byte[] ED25519 = HexFormat.of().parseHex("302a300506032b6570032100");

    private final String issuer;
    final String audience;
    private final JWKSetSource<SecurityContext> keys;
    private final Predicate<String> stillActive;

    /** `stillActive` asks the server about each token, see Introspection; null asks nobody. */
    Guard(String issuer, String audience, JWKSetSource<SecurityContext> keys, Predicate<String> stillActive) {
        this.issuer = issuer;
        this.audience = audience;
        this.keys = keys;
        this.stillActive = stillActive;
    }

    // region check
    /** The published set: kept for 5 minutes; an unknown kid asks for it once more, twice in 30 s at most. */
    static JWKSetSource<SecurityContext> kept(JWKSourceBuilder<SecurityContext> published) {
        var source = published.cache(300_000, 15_000).rateLimited(30_000).build();
        return ((JWKSetBasedJWKSource<SecurityContext>) source).getJWKSetSource();
    }

    /** Who may do what. Or Refused. */
    ActingFor check(Caller caller, long now, Route route) {
        var parameters = parameters(caller.query());
        var headers = caller.headers();
        var token = bearerToken(parameters, headers.getOrDefault("authorization", List.of()));
        var claims = claims(token, now);
        // Exactly this: with any other member the token is bound to something that is not checked here.
        Refused.unless(!claims.has("cnf") || claims.get("cnf").equals(boundTo(caller.certificate())));
        if (stillActive != null) Refused.unless(stillActive.test(token));
        if (!claims.has("mandates")) throw new Refused(403, "no_contact");

        var contact = claims.get("sub").textValue();
        var contacts = headers.getOrDefault("x-contact-id", List.of());
        if (contacts.size() > 1) throw new Refused(400, "invalid_request");
        if (contacts.size() == 1 && !contacts.get(0).equals(contact)) throw new Refused(403, "contact_mismatch");

        var clients = parameters.getOrDefault("client_id", List.of());
        if (clients.size() > 1) throw new Refused(400, "invalid_request");
        Set<String> held = clients.isEmpty() ? null : held(claims.get("mandates"), clients.get(0));
        if (held == null) throw new Refused(403, "client_not_allowed");
        if (route.permission() != null && !held.contains(route.permission())) {
            throw new Refused(403, "insufficient_permission", "insufficient_scope", route.permission());
        }
        var presence = claims.has("act") ? "no_person" : "person";
        if (route.person() && claims.has("act")) throw new Refused(403, "person_required");
        return new ActingFor(contact, claims.get("client_id").textValue(), clients.get(0), held, presence);
    }

    /** `cnf` of a token that is bound to a certificate (RFC 8705, section 3.1); null without a certificate. */
    private static JsonNode boundTo(byte[] certificate) {
        if (certificate == null) return null;
        try {
            var digest = MessageDigest.getInstance("SHA-256").digest(certificate);
            var text = Base64.getUrlEncoder().withoutPadding().encodeToString(digest);
            return STRICT.createObjectNode().put("x5t#S256", text);
        } catch (GeneralSecurityException impossible) {
            throw new IllegalStateException(impossible); // Every JDK has SHA-256.
        }
    }

    private static Set<String> held(JsonNode mandates, String client) {
        for (var group : mandates) {
            if (texts(group.get("clients")).contains(client)) return new TreeSet<>(texts(group.get("permissions")));
        }
        return null;
    }

    /** The claims of a token that is ours, for this API and in force. */
    private JsonNode claims(String token, long now) {
        var parts = token.split("\\.", -1);
        Refused.unless(token.length() <= LONGEST && parts.length == 3);
        var header = strictObject(parts[0]);
        var claims = strictObject(parts[1]);
        decoded(parts[2]);
        Refused.unless(!header.has("crit") && List.of("alg", "kid", "typ").stream().allMatch(n -> isText(header.get(n))));
        var type = header.get("typ").textValue().toLowerCase(Locale.ROOT);
        var algorithm = header.get("alg").textValue();
        Refused.unless(ALGORITHMS.contains(algorithm) && Set.of("at+jwt", "application/at+jwt").contains(type));
        var key = key(header.get("kid").textValue());
        Refused.unless(key.getAlgorithm() != null && algorithm.equals(key.getAlgorithm().getName()));
        try {
            Refused.unless(verifies(JWSObject.parse(token), key));
        } catch (ParseException | JOSEException | GeneralSecurityException | IllegalArgumentException error) {
            Refused.unless(false);
        }
        Refused.unless(wellFormed(claims));
        Refused.unless(is(claims.get("iss"), issuer) && is(claims.get("aud"), audience));
        Refused.unless(claims.get("exp").longValue() + LEEWAY > now && claims.get("iat").longValue() <= now + LEEWAY);
        Refused.unless(!claims.has("nbf") || claims.get("nbf").longValue() <= now + LEEWAY);
        return claims;
    }

    private JWK key(String kid) {
        var now = System.currentTimeMillis();
        try {
            JWKSet set = keys.getJWKSet(JWKSetCacheRefreshEvaluator.noRefresh(), now, null);
            if (set.getKeyByKeyId(kid) == null) {
                try {
                    set = keys.getJWKSet(JWKSetCacheRefreshEvaluator.referenceComparison(set), now, null);
                } catch (RateLimitReachedException tooOften) {
                    // It was asked for a moment ago: then there is no such key.
                }
            }
            Refused.unless(set.getKeyByKeyId(kid) != null);
            return set.getKeyByKeyId(kid);
        } catch (KeySourceException error) {
            throw Refused.unavailable();
        }
    }

    private static boolean verifies(JWSObject token, JWK key) throws JOSEException, GeneralSecurityException {
        if (key instanceof OctetKeyPair pair) { // Nimbus wants one more library for EdDSA; the JDK has it.
            var encoded = ByteBuffer.allocate(44).put(ED25519).put(pair.getDecodedX()).array();
            var signature = Signature.getInstance("Ed25519");
            signature.initVerify(KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(encoded)));
            signature.update(token.getSigningInput());
            return signature.verify(token.getSignature().decode());
        }
        var published = ((AsymmetricJWK) key).toPublicKey();
        return token.verify(new DefaultJWSVerifierFactory().createJWSVerifier(token.getHeader(), published));
    }

    // endregion check

    /** Whether each claim is there and is what the contract says. */
    private static boolean wellFormed(JsonNode claims) {
        for (var name : List.of("iat", "exp", "dv")) if (!isNumber(claims.get(name))) return false;
        for (var name : List.of("nbf", "auth_time")) if (claims.has(name) && !isNumber(claims.get(name))) return false;
        if (!claims.path("scope").isTextual() || claims.has("acr") && !claims.get("acr").isTextual()) return false;
        if (!isText(claims.get("jti")) || !isText(claims.get("client_id"))) return false;
        var application = claims.get("client_id").textValue();
        if (!APPLICATION.matcher(application).matches()) return false;
        if (is(claims.get("sub"), application)) { // An application alone.
            return !claims.has("act") && !claims.has("auth_time") && !claims.has("mandates");
        }
        var act = claims.get("act");
        var present = act == null
            ? !is(claims.get("acr"), UNATTENDED) && claims.has("auth_time")
            : act.size() == 1 && is(act.get("sub"), application) && is(claims.get("acr"), UNATTENDED)
                && !claims.has("auth_time");
        if (!present || !isText(claims.get("sub")) || !isParty(claims.get("sub").textValue())) return false;
        if (!claims.path("mandates").isArray()) return false;
        var clients = new ArrayList<String>();
        for (var group : claims.get("mandates")) {
            var permissions = texts(group.get("permissions"));
            var named = texts(group.get("clients"));
            if (permissions == null || !PERMISSIONS.containsAll(permissions)) return false;
            if (named == null || named.isEmpty() || !named.stream().allMatch(Guard::isParty)) return false;
            clients.addAll(named);
        }
        return !clients.isEmpty() && Set.copyOf(clients).size() == clients.size();
    }

    private static boolean isParty(String id) {
        return PARTY.matcher(id).matches();
    }

    private static boolean isText(JsonNode value) {
        return value != null && value.isTextual() && !value.textValue().isEmpty();
    }

    private static boolean isNumber(JsonNode value) {
        return value != null && value.isIntegralNumber() && value.canConvertToLong() && value.longValue() >= 0
            && value.longValue() < 1L << 53;
    }

    private static boolean is(JsonNode value, String wanted) {
        return isText(value) && value.textValue().equals(wanted);
    }

    /** The texts of a list; null if it is something else. */
    private static List<String> texts(JsonNode list) {
        if (list == null || !list.isArray()) return null;
        var texts = new ArrayList<String>();
        for (var value : list) {
            if (!isText(value)) return null;
            texts.add(value.textValue());
        }
        return texts;
    }

    /** One JSON object in canonical base64url that names no member twice, at no depth. */
    private static JsonNode strictObject(String part) {
        try {
            var text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(decoded(part))).toString();
            var value = STRICT.readTree(text);
            Refused.unless(value.isObject());
            return value;
        } catch (CharacterCodingException | JsonProcessingException error) {
            throw new Refused(401, null, "invalid_token", null);
        }
    }

    private static byte[] decoded(String part) {
        try {
            var bytes = Base64.getUrlDecoder().decode(part);
            Refused.unless(Base64.getUrlEncoder().withoutPadding().encodeToString(bytes).equals(part));
            return bytes;
        } catch (IllegalArgumentException error) {
            throw new Refused(401, null, "invalid_token", null);
        }
    }

    private static String bearerToken(Map<String, List<String>> parameters, List<String> authorizations) {
        if (parameters.containsKey("access_token") || authorizations.size() > 1) throw Refused.malformed();
        var authorization = authorizations.isEmpty() ? "" : authorizations.get(0);
        if (!BEARER.matcher(authorization).lookingAt()) throw new Refused(401, null);
        var credentials = CREDENTIALS.matcher(authorization);
        if (!credentials.matches()) throw Refused.malformed();
        return credentials.group(1);
    }

    private static Map<String, List<String>> parameters(String query) {
        var parameters = new HashMap<String, List<String>>();
        for (var piece : (query == null ? "" : query).split("&")) {
            var pair = piece.split("=", 2);
            var value = pair.length < 2 ? "" : unescaped(pair[1]);
            parameters.computeIfAbsent(unescaped(pair[0]), unseen -> new ArrayList<>()).add(value);
        }
        return parameters;
    }

    private static String unescaped(String text) {
        try {
            return URLDecoder.decode(text, StandardCharsets.UTF_8);
        } catch (IllegalArgumentException error) {
            return text; // A broken escape: no id and no name of ours.
        }
    }
}

// region introspection
/** Asks the server whether a token is still active. Whatever is not a plain answer is a 503. */
record Introspection(HttpClient http, URI endpoint, String resourceId, String secret) implements Predicate<String> {
    @Override
    public boolean test(String token) {
        // RFC 6749, section 2.3.1: both are form-encoded first.
        var pair = encoded(resourceId) + ":" + encoded(secret);
        var request = HttpRequest.newBuilder(endpoint)
            .timeout(Duration.ofSeconds(2))
            .header("Authorization", "Basic " + Base64.getEncoder().encodeToString(pair.getBytes(StandardCharsets.UTF_8)))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .POST(HttpRequest.BodyPublishers.ofString("token=" + encoded(token)))
            .build();
        try {
            var response = http.send(request, HttpResponse.BodyHandlers.ofString());
            var active = response.statusCode() == 200 ? new JsonMapper().readTree(response.body()).get("active") : null;
            if (active != null && active.isBoolean()) return active.booleanValue();
        } catch (IOException error) {
            // Below.
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
        throw Refused.unavailable();
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }
}
// endregion introspection

// region handler
/** Puts a guard before a handler of the JDK's HttpServer; the handler gets to know for whom it acts. */
record Protected(Guard guard, String method, Route route, Function<ActingFor, Map<String, String>> handler)
        implements HttpHandler {

    /** Two routes. Each says which permission it needs. The keys are {@code Guard.kept(JWKSourceBuilder.create(url))}. */
    static void serve(HttpServer server, Guard guard) {
        server.createContext("/accounts", new Protected(guard, "GET", new Route(null, false),
            acting -> Map.of("accounts_of", acting.client(), "read_by", acting.contact())));
        server.createContext("/trades", new Protected(guard, "POST", new Route("can_trade", false),
            acting -> Map.of("traded_for", acting.client(), "by", acting.contact())));
    }

    @Override
    public void handle(HttpExchange exchange) throws IOException {
        if (!exchange.getRequestMethod().equals(method)) {
            send(exchange, 405, Map.of("Allow", method), null);
            return;
        }
        var headers = new HashMap<String, List<String>>();
        exchange.getRequestHeaders().forEach((name, values) -> headers.put(name.toLowerCase(Locale.ROOT), values));
        var now = System.currentTimeMillis() / 1000;
        try {
            var caller = new Caller(exchange.getRequestURI().getRawQuery(), headers, certificate(exchange));
            var acting = guard.check(caller, now, route);
            send(exchange, 200, Map.of("Content-Type", "application/json"), handler.apply(acting));
        } catch (Refused refused) {
            send(exchange, refused.status, refused.headers(guard.audience), refused.body());
        }
    }

    /** Only where this server itself ends the TLS and asks for certificates: HttpsParameters.setWantClientAuth. */
    private static byte[] certificate(HttpExchange exchange) throws IOException {
        if (!(exchange instanceof HttpsExchange secure)) return null;
        try {
            return secure.getSSLSession().getPeerCertificates()[0].getEncoded();
        } catch (SSLPeerUnverifiedException none) {
            return null;
        } catch (CertificateEncodingException error) {
            throw new IOException(error);
        }
    }

    private static void send(HttpExchange exchange, int status, Map<String, String> headers, Map<String, String> body)
            throws IOException {
        headers.forEach(exchange.getResponseHeaders()::set);
        var bytes = body == null ? new byte[0] : new JsonMapper().writeValueAsBytes(body);
        exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }
}
// endregion handler
