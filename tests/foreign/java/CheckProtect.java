// Runs the shared vectors through Protect.java, then protects a small API of its own behind a running demo.
//
// Usage: java CheckProtect VECTORS DEMO, where VECTORS is tests/vectors/guard.json and DEMO holds the line
// that `procura demo --json` prints. The last line says how much was checked; the first thing that is not
// right ends the program.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.source.JWKSetCacheRefreshEvaluator;
import com.nimbusds.jose.jwk.source.JWKSetSource;
import com.nimbusds.jose.jwk.source.JWKSetUnavailableException;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.SecurityContext;
import com.sun.net.httpserver.HttpServer;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Executors;
import java.util.function.Predicate;
import java.util.stream.StreamSupport;

final class CheckProtect {
    private static final JsonMapper JSON = new JsonMapper();
    /** Loopback, whatever proxy the environment names. */
    private static final HttpClient HTTP = HttpClient.newBuilder()
        .version(HttpClient.Version.HTTP_1_1)
        .connectTimeout(Duration.ofSeconds(20))
        .proxy(HttpClient.Builder.NO_PROXY)
        .build();

    private static int checks = 0;

    public static void main(String[] arguments) throws Exception {
        if (arguments.length != 2) throw new IllegalArgumentException("usage: java CheckProtect VECTORS DEMO");
        var vectors = JSON.readTree(new File(arguments[0]));
        var demo = JSON.readTree(new File(arguments[1]));
        runVectors(vectors);
        keysAreKept(vectors);
        runDemo(demo);
        System.out.println(checks + " checks passed");
        System.exit(0);
    }

    /** The key set of the vectors, and how often it was asked for. */
    private static final class Published implements JWKSetSource<SecurityContext> {
        private final JWKSet set;
        private int asked = 0;

        Published(JsonNode jwks) throws Exception {
            set = jwks == null ? null : JWKSet.parse(jwks.toString());
        }

        @Override
        public JWKSet getJWKSet(JWKSetCacheRefreshEvaluator refresh, long now, SecurityContext context)
                throws JWKSetUnavailableException {
            asked++;
            if (set == null) throw new JWKSetUnavailableException("unreachable");
            return set;
        }

        @Override
        public void close() {}
    }

    private static Guard guard(JsonNode vectors, Published published) {
        var keys = Guard.kept(JWKSourceBuilder.create(published));
        return new Guard(vectors.get("issuer").textValue(), vectors.get("audience").textValue(), keys, null);
    }

    private static void runVectors(JsonNode vectors) throws Exception {
        var guard = guard(vectors, new Published(vectors.get("jwks")));
        var marked = new ArrayList<String>();
        for (var one : vectors.get("cases")) {
            var name = one.get("name").textValue();
            if (one.get("marks").isEmpty()) {
                equal(outcome(guard, vectors, one), one.get("answer"), name);
            } else {
                marked.add(name);
            }
        }
        System.out.println("skipped, for want of a view of marks: " + String.join(", ", marked));
        check(vectors.get("cases").size() - marked.size() >= 150, "at least 150 cases ran");
    }

    /** A case's answer in the vectors' form. */
    private static JsonNode outcome(Guard guard, JsonNode vectors, JsonNode one) throws IOException {
        var token = one.path("token").asText("");
        var headers = new HashMap<String, List<String>>();
        for (var pair : one.get("request").get("headers")) {
            headers.computeIfAbsent(pair.get(0).textValue().toLowerCase(Locale.ROOT), unseen -> new ArrayList<>())
                .add(pair.get(1).textValue().replace("{token}", token));
        }
        var target = one.get("request").get("target").textValue().replace("{token}", token).split("\\?", 2);
        var permission = one.get("route").get("permission").textValue();
        var route = new Route(permission, one.get("route").get("person").booleanValue());
        var answer = new HashMap<String, Object>();
        try {
            var query = target.length < 2 ? null : target[1];
            var der = vectors.get("certificates").path(one.get("request").path("certificate").asText()).get("der");
            var caller = new Caller(query, headers, der == null ? null : der.binaryValue());
            answer.put("acting", guard.check(caller, vectors.get("now").longValue(), route));
            answer.put("status", 200);
            answer.put("error", null);
            answer.put("code", null);
        } catch (Refused refused) {
            wellAnswered(refused, vectors.get("realm").textValue());
            answer.put("acting", null);
            answer.put("status", refused.status);
            answer.put("error", refused.error);
            answer.put("code", refused.code);
        }
        return JSON.readTree(JSON.writeValueAsString(answer));
    }

    private static void wellAnswered(Refused refused, String realm) {
        var headers = refused.headers(realm);
        equal(refused.body() == null, refused.status == 401, "only a 401 has no body");
        equal(headers.containsKey("Retry-After"), refused.status == 503, "only a 503 has Retry-After");
        var challenge = headers.getOrDefault("WWW-Authenticate", "");
        var challenged = refused.status == 401 || refused.error != null;
        equal(challenge.startsWith("Bearer realm=\"" + realm + "\""), challenged, "the challenge");
        equal(challenge.contains("error=\"" + refused.error + "\""), refused.error != null, "the challenge's error");
        if (refused.body() != null) {
            equal(refused.body().keySet(), java.util.Set.of("code", "details", "message"), "an ErrorMessage");
            check(refused.body().values().stream().allMatch(Objects::nonNull), "an ErrorMessage has three strings");
        }
    }

    /** One fetch serves all; unknown kids ask once more and no more; without keys nobody gets in. */
    private static void keysAreKept(JsonNode vectors) throws Exception {
        var good = StreamSupport.stream(vectors.get("cases").spliterator(), false)
            .filter(one -> one.get("answer").get("status").intValue() == 200 && one.get("marks").isEmpty())
            .findFirst().orElseThrow();
        var published = new Published(vectors.get("jwks"));
        var guard = guard(vectors, published);
        for (var time = 0; time < 3; time++) equal(status(guard, vectors, good), 200, "status of a good token");
        equal(published.asked, 1, "fetches for three good tokens");
        var header = "{\"alg\":\"ES256\",\"kid\":\"unknown\",\"typ\":\"at+jwt\"}".getBytes(StandardCharsets.UTF_8);
        var rest = good.get("token").textValue().split("\\.", 2)[1];
        var token = Base64.getUrlEncoder().withoutPadding().encodeToString(header) + "." + rest;
        var foreign = ((com.fasterxml.jackson.databind.node.ObjectNode) good.deepCopy()).put("token", token);
        for (var time = 0; time < 3; time++) equal(status(guard, vectors, foreign), 401, "status of an unknown kid");
        equal(published.asked, 2, "fetches after three unknown kids");
        equal(status(guard, vectors, good), 200, "status of a good token after them");
        var none = guard(vectors, new Published(null));
        var without = 0;
        for (var one : vectors.get("cut_off")) {
            if (one.get("state").textValue().equals("keys_never_fetched")) {
                equal(outcome(none, vectors, one), one.get("answer"), one.get("name").textValue());
                without++;
            }
        }
        check(without >= 2, "cases without keys");
    }

    private static int status(Guard guard, JsonNode vectors, JsonNode one) throws IOException {
        return outcome(guard, vectors, one).get("status").intValue();
    }

    private static void runDemo(JsonNode demo) throws Exception {
        var metadata = JSON.readTree(
            send("GET", demo.get("base_url").textValue() + "/.well-known/oauth-authorization-server", null, null).body());
        var uri = new java.net.URL(metadata.get("jwks_uri").textValue());
        var keys = Guard.kept(JWKSourceBuilder.create(uri));
        var served = metadata.has("introspection_endpoint") && demo.has("resource_secret");
        Predicate<String> asks = served ? asks(demo, metadata, demo.get("resource_secret").textValue()) : null;
        var switched = new Switch();
        switched.now = asks == null ? token -> true : asks;
        var guard = new Guard(demo.get("issuer").textValue(), demo.get("resource_id").textValue(), keys, switched);
        var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(Executors.newFixedThreadPool(2));
        Protected.serve(server, guard);
        server.start();
        var api = "http://127.0.0.1:" + server.getAddress().getPort();
        for (var contact : demo.get("contacts")) call(demo, api, contact);
        failsClosed(demo, api, switched);
        if (served) {
            var wrong = asks(demo, metadata, "pcs_" + "A".repeat(43));
            deadTokensAreRefused(demo, api, switched, metadata, wrong);
        } else {
            System.out.println("skipped introspection: the server does not say that it serves it");
        }
        server.stop(0);
    }

    /** Who is asked about a token, so that a check can put another in the place. */
    private static final class Switch implements Predicate<String> {
        private volatile Predicate<String> now;

        @Override
        public boolean test(String token) {
            return now.test(token);
        }
    }

    private static Introspection asks(JsonNode demo, JsonNode metadata, String secret) {
        var endpoint = URI.create(metadata.get("introspection_endpoint").textValue());
        return new Introspection(HTTP, endpoint, demo.get("resource_id").textValue(), secret);
    }

    private static void call(JsonNode demo, String api, JsonNode contact) throws Exception {
        var tokens = tokensFor(demo, contact);
        var token = tokens.get("access_token").textValue();
        var claims = JSON.readTree(Base64.getUrlDecoder().decode(token.split("\\.")[1]));
        var own = texts(contact.get("clients"));
        for (var client : own) {
            var answer = read(api, client, token);
            equal(answer.statusCode(), 200, "status for the token's own client");
            equal(JSON.readTree(answer.body()).get("accounts_of").textValue(), client, "client of the answer");
            var wanted = 403;
            for (var group : claims.get("mandates")) {
                var trades = texts(group.get("permissions")).contains("can_trade");
                if (texts(group.get("clients")).contains(client) && trades) wanted = 200;
            }
            var trade = send("POST", api + "/trades?client_id=" + client, "Bearer " + token, "");
            equal(trade.statusCode(), wanted, "status of a trade");
        }
        var others = new ArrayList<String>();
        for (var other : demo.get("contacts")) others.addAll(texts(other.get("clients")));
        others.removeAll(own);
        check(!others.isEmpty(), "the demo has clients of others");
        for (var client : others) {
            var answer = read(api, client, token);
            equal(answer.statusCode(), 403, "status for another's client");
            equal(JSON.readTree(answer.body()).get("code").textValue(), "client_not_allowed", "code for another's client");
        }
        var idToken = read(api, own.get(0), tokens.get("id_token").textValue());
        equal(idToken.statusCode() + idToken.body(), "401", "answer to an ID token");
        check(challenge(idToken).contains("error=\"invalid_token\""), "the challenge after an ID token");
        var without = send("GET", api + "/accounts?client_id=" + own.get(0), null, null);
        equal(without.statusCode() + without.body(), "401", "answer without a token");
        check(!challenge(without).contains("error"), "the challenge without a token names no error");
        var uri = api + "/accounts?client_id=" + own.get(0);
        var twice = HttpRequest.newBuilder(URI.create(uri)).timeout(Duration.ofSeconds(20));
        twice.header("Authorization", "Bearer " + token).header("Authorization", "Bearer " + token);
        var answer = HTTP.send(twice.build(), HttpResponse.BodyHandlers.ofString());
        equal(answer.statusCode(), 400, "status of two Authorization headers");
        var repeated = send("GET", uri + "&client_id=" + own.get(0), "Bearer " + token, null);
        equal(repeated.statusCode(), 400, "status of a repeated client_id");
        var inQuery = send("GET", uri + "&access_token=" + token, null, null);
        equal(inQuery.statusCode(), 400, "status of a token in the query");
    }

    /** A server that can't be asked about a token is a 503, never a 200. */
    private static void failsClosed(JsonNode demo, String api, Switch switched) throws Exception {
        var contact = demo.get("contacts").get(0);
        var client = contact.get("clients").get(0).textValue();
        var token = tokensFor(demo, contact).get("access_token").textValue();
        var before = switched.now;
        var nowhere = URI.create(demo.get("base_url").textValue() + "/nowhere");
        switched.now = new Introspection(HTTP, nowhere, "resource", "secret");
        var answer = read(api, client, token);
        equal(answer.statusCode(), 503, "status when the server can't be asked");
        equal(answer.headers().firstValue("retry-after").orElse(""), "1", "Retry-After when it can't be asked");
        switched.now = unused -> false;
        equal(read(api, client, token).statusCode(), 401, "status of a token that is not active");
        switched.now = before;
    }

    private static void deadTokensAreRefused(
            JsonNode demo, String api, Switch switched, JsonNode metadata, Introspection wrong) throws Exception {
        var contact = demo.get("contacts").get(0);
        var client = contact.get("clients").get(0).textValue();
        var token = tokensFor(demo, contact).get("access_token").textValue();
        var before = switched.now;
        switched.now = wrong;
        equal(read(api, client, token).statusCode(), 503, "status with a wrong secret of the resource");
        switched.now = before;
        equal(read(api, client, token).statusCode(), 200, "status before the token is revoked");
        if (!metadata.has("revocation_endpoint")) {
            System.out.println("skipped revocation: the server does not say that it serves it");
            return;
        }
        var revoked = send("POST", metadata.get("revocation_endpoint").textValue(), basic(demo), "token=" + encoded(token));
        equal(revoked.statusCode(), 200, "status of the revocation");
        equal(read(api, client, token).statusCode(), 401, "status after the token was revoked");
    }

    private static JsonNode tokensFor(JsonNode demo, JsonNode contact) throws Exception {
        var uri = demo.get("base_url").textValue() + "/token/" + encoded(contact.get("contact_id").textValue());
        var answer = send("POST", uri, basic(demo), "");
        equal(answer.statusCode(), 200, "status of a token");
        return JSON.readTree(answer.body());
    }

    private static HttpResponse<String> read(String api, String client, String token) throws Exception {
        return send("GET", api + "/accounts?client_id=" + encoded(client), "Bearer " + token, null);
    }

    /** A form makes it a POST with that body. */
    private static HttpResponse<String> send(String method, String uri, String authorization, String form)
            throws Exception {
        var body = form == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(form);
        var request = HttpRequest.newBuilder(URI.create(uri)).timeout(Duration.ofSeconds(20)).method(method, body);
        if (form != null) request.header("Content-Type", "application/x-www-form-urlencoded");
        if (authorization != null) request.header("Authorization", authorization);
        return HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    private static String basic(JsonNode demo) {
        var pair = encoded(demo.get("application_id").textValue()) + ":"
            + encoded(demo.get("application_secret").textValue());
        return "Basic " + Base64.getEncoder().encodeToString(pair.getBytes(StandardCharsets.UTF_8));
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    private static String challenge(HttpResponse<String> answer) {
        return answer.headers().firstValue("www-authenticate").orElse("");
    }

    private static List<String> texts(JsonNode list) {
        return StreamSupport.stream(list.spliterator(), false).map(JsonNode::textValue).toList();
    }

    private static void equal(Object seen, Object wanted, String what) {
        check(Objects.equals(seen, wanted), what + ": " + seen + ", not " + wanted);
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            System.err.println("FAILED: " + what);
            System.exit(1);
        }
        checks++;
    }
}
