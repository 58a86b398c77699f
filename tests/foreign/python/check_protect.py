"""Runs the shared vectors through protect.py, then protects a small API of its own behind a running demo.

Usage: check_protect.py VECTORS DEMO, where VECTORS is tests/vectors/guard.json and DEMO holds the line that
`procura demo --json` prints. The last line says how much was checked; the first thing that is not right
ends the program.
"""

import base64
import http.client
import http.server
import json
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request

import jwt

import protect

TIMEOUT = 20

# Loopback, whatever proxy the environment names.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
checks = 0


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: check_protect.py VECTORS DEMO")
    vectors, demo = (json.load(open(name, encoding="utf-8")) for name in sys.argv[1:])
    run_vectors(vectors)
    keys_are_kept(vectors)
    run_demo(demo)
    print(f"{checks} checks passed")


class Published(jwt.PyJWKClient):
    """The key set of the vectors, and how often it was asked for."""

    def __init__(self, jwks):
        super().__init__("http://127.0.0.1/jwks")
        self.published, self.asked = jwks, 0

    def fetch_data(self):
        self.asked += 1
        if self.published is None:
            raise jwt.PyJWKClientConnectionError("unreachable")
        self.jwk_set_cache.put(self.published)
        return self.published


def run_vectors(vectors):
    guard = protect.Guard(vectors["issuer"], vectors["audience"], Published(vectors["jwks"]))
    marked = [case["name"] for case in vectors["cases"] if case["marks"]]
    print(f"skipped, for want of a view of marks: {', '.join(marked)}")
    for case in vectors["cases"]:
        if not case["marks"]:
            equal(outcome(guard, vectors, case), case["answer"], case["name"])
    check(len(vectors["cases"]) - len(marked) >= 150, "at least 150 cases ran")


def outcome(guard, vectors, case):
    """A case's answer in the vectors' form."""
    token, request, route = case["token"] or "", case["request"], case["route"]
    headers = [(name, value.replace("{token}", token)) for name, value in request["headers"]]
    target = request["target"].replace("{token}", token)
    held = request["certificate"]
    certificate = held and base64.b64decode(vectors["certificates"][held]["der"])
    try:
        acting = guard.check(
            target, headers, vectors["now"], route["permission"], route["person"], certificate
        )
    except protect.Refused as refused:
        well_answered(refused, vectors["realm"])
        return {"status": refused.status, "error": refused.error, "code": refused.code, "acting": None}
    told = {"contact": acting.contact, "application": acting.application, "client": acting.client}
    told |= {"permissions": sorted(acting.permissions), "presence": acting.presence}
    return {"status": 200, "error": None, "code": None, "acting": told}


def well_answered(refused, realm):
    status, headers, body = refused.answer(realm)
    equal(status == 401, not body, "only a 401 has no body")
    equal(status == 503, "Retry-After" in headers, "only a 503 has Retry-After")
    challenge = headers.get("WWW-Authenticate", "")
    equal(status == 401 or bool(refused.error), challenge.startswith(f'Bearer realm="{realm}"'), "the challenge")
    equal(f'error="{refused.error}"' in challenge, bool(refused.error), "the challenge's error")
    if body:
        message = json.loads(body)
        equal(sorted(message), ["code", "details", "message"], "members of an ErrorMessage")
        check(all(isinstance(value, str) for value in message.values()), "an ErrorMessage has three strings")


def keys_are_kept(vectors):
    """One fetch serves all; unknown kids ask once more and no more; without keys nobody gets in."""
    good = next(case for case in vectors["cases"] if case["answer"]["status"] == 200 and not case["marks"])
    keys = Published(vectors["jwks"])
    guard = protect.Guard(vectors["issuer"], vectors["audience"], keys)
    for _ in range(3):
        equal(outcome(guard, vectors, good)["status"], 200, "status of a good token")
    equal(keys.asked, 1, "fetches for three good tokens")
    header = json.dumps({"alg": "ES256", "kid": "unknown", "typ": "at+jwt"}).encode()
    foreign = base64.urlsafe_b64encode(header).rstrip(b"=").decode() + "." + good["token"].split(".", 1)[1]
    for _ in range(3):
        equal(outcome(guard, vectors, {**good, "token": foreign})["status"], 401, "status of an unknown kid")
    equal(keys.asked, 2, "fetches after three unknown kids")
    guard = protect.Guard(vectors["issuer"], vectors["audience"], Published(None))
    cut_off = [case for case in vectors["cut_off"] if case["state"] == "keys_never_fetched"]
    check(len(cut_off) >= 2, "cases without keys")
    for case in cut_off:
        equal(outcome(guard, vectors, case), case["answer"], case["name"])


def run_demo(demo):
    metadata = json.loads(send(demo["base_url"] + "/.well-known/oauth-authorization-server")[2])
    keys = jwt.PyJWKClient(metadata["jwks_uri"], lifespan=300, timeout=5)
    endpoint = metadata.get("introspection_endpoint")
    still_active = None
    if endpoint and demo.get("resource_secret"):
        still_active = protect.Introspection(endpoint, demo["resource_id"], demo["resource_secret"])
        wrong = protect.Introspection(endpoint, demo["resource_id"], "pcs_" + "A" * 43)
    else:
        print("skipped introspection: the server does not say that it serves it")
    guard = protect.Guard(demo["issuer"], demo["resource_id"], keys, still_active)

    class Api(protect.Api):
        timeout = TIMEOUT

        def log_message(self, *_):
            pass

    Api.guard = guard
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    api = f"http://127.0.0.1:{server.server_port}"
    for contact in demo["contacts"]:
        call(demo, api, contact)
    fails_closed(demo, api, guard)
    if still_active is not None:
        dead_tokens_are_refused(demo, api, guard, metadata, wrong)
    server.shutdown()


def call(demo, api, contact):
    tokens = tokens_for(demo, contact)
    mandates = claims_of(tokens["access_token"])["mandates"]
    held = {client: group["permissions"] for group in mandates for client in group["clients"]}
    for client in contact["clients"]:
        status, _, body = read(api, client, tokens["access_token"])
        equal((status, json.loads(body)["accounts_of"]), (200, client), "answer for the token's own client")
        wanted = 200 if "can_trade" in held[client] else 403
        url = f"{api}/trades?client_id={client}"
        equal(send(url, bearer(tokens["access_token"]), b"")[0], wanted, "status of a trade")
    others = {client for other in demo["contacts"] for client in other["clients"]} - set(contact["clients"])
    for client in sorted(others) or ["CLI9999"]:
        status, _, body = read(api, client, tokens["access_token"])
        equal((status, json.loads(body)["code"]), (403, "client_not_allowed"), "answer for another's client")
    client = contact["clients"][0]
    status, headers, body = read(api, client, tokens["id_token"])
    equal((status, body), (401, b""), "answer to an ID token")
    check('error="invalid_token"' in headers["www-authenticate"], "the challenge after an ID token")
    status, headers, body = send(f"{api}/accounts?client_id={client}")
    equal((status, body), (401, b""), "answer without a token")
    check("error" not in headers["www-authenticate"], "the challenge without a token names no error")
    equal(said_twice(api, client, tokens["access_token"]), 400, "status of two Authorization headers")
    url = f"{api}/accounts?client_id={client}"
    token = tokens["access_token"]
    equal(send(f"{url}&client_id={client}", bearer(token))[0], 400, "status of a repeated client_id")
    equal(send(f"{url}&access_token={token}")[0], 400, "status of a token in the query")


def fails_closed(demo, api, guard):
    """A server that can't be asked about a token is a 503, never a 200."""
    contact = demo["contacts"][0]
    token, before = tokens_for(demo, contact)["access_token"], guard.still_active
    guard.still_active = protect.Introspection(demo["base_url"] + "/nowhere", "resource", "secret")
    status, headers, _ = read(api, contact["clients"][0], token)
    equal((status, headers["retry-after"]), (503, "1"), "answer when the server can't be asked")
    guard.still_active = lambda token: False
    equal(read(api, contact["clients"][0], token)[0], 401, "status of a token that is not active")
    guard.still_active = before


def dead_tokens_are_refused(demo, api, guard, metadata, wrong):
    contact = demo["contacts"][0]
    client, token = contact["clients"][0], tokens_for(demo, contact)["access_token"]
    before, guard.still_active = guard.still_active, wrong
    equal(read(api, client, token)[0], 503, "status with a wrong secret of the resource")
    guard.still_active = before
    equal(read(api, client, token)[0], 200, "status before the token is revoked")
    if "revocation_endpoint" not in metadata:
        print("skipped revocation: the server does not say that it serves it")
        return
    form = urllib.parse.urlencode({"token": token}).encode()
    authorization = {"Authorization": basic(demo["application_id"], demo["application_secret"])}
    equal(send(metadata["revocation_endpoint"], authorization, form)[0], 200, "status of the revocation")
    equal(read(api, client, token)[0], 401, "status after the token was revoked")


def said_twice(api, client, token):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(api).netloc, timeout=TIMEOUT)
    connection.putrequest("GET", f"/accounts?client_id={client}")
    for _ in range(2):
        connection.putheader("Authorization", f"Bearer {token}")
    connection.endheaders()
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def tokens_for(demo, contact):
    authorization = {"Authorization": basic(demo["application_id"], demo["application_secret"])}
    status, _, body = send(f"{demo['base_url']}/token/{contact['contact_id']}", authorization, b"")
    equal(status, 200, f"status of a token: {body!r}")
    return json.loads(body)


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def read(api, client, token):
    return send(f"{api}/accounts?client_id={client}", bearer(token))


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def basic(user, secret):
    pair = urllib.parse.quote_plus(user) + ":" + urllib.parse.quote_plus(secret)
    return "Basic " + base64.b64encode(pair.encode()).decode()


def send(url, headers=None, body=None):
    """Status, headers by lower-case name, body. A body makes it a POST."""
    request = urllib.request.Request(url, body, headers or {})
    try:
        with opener.open(request, timeout=TIMEOUT) as response:
            return response.status, by_name(response.headers), response.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, by_name(refusal.headers), refusal.read()


def by_name(headers):
    return {name.lower(): value for name, value in headers.items()}


def equal(seen, wanted, what):
    check(seen == wanted, f"{what}: {seen!r}, not {wanted!r}")


def check(holds, what):
    global checks
    if not holds:
        sys.exit(f"FAILED: {what}")
    checks += 1


if __name__ == "__main__":
    main()
