"""Verifies every token of a running demo with PyJWT.

Usage: verify.py FILE, where FILE holds the line that `procura demo --json` prints. Asks for a contact
token for every contact it names, checks both tokens against the published keys and against what
docs/contract.md says of them, and holds the refusals against each other. The last line says how much was
checked; the first thing that is not right ends the program.
"""

import base64
import json
import sys
import urllib.error
import urllib.parse
import urllib.request

import jwt

TIMEOUT = 20
LIFETIME = 3600
UNATTENDED = "urn:procura:acr:unattended"
OF_A_PERSONS_LOGIN = ("nonce", "auth_time", "amr", "sid")
# They differ from one refusal to the next, and say nothing about the reason.
OF_ONE_ANSWER = ("date", "procura-reference")

# Loopback, whatever proxy the environment names.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
checks = 0


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: verify.py FILE")
    with open(sys.argv[1], encoding="utf-8") as file:
        demo = json.load(file)

    keys = published_keys(demo)
    check(len(demo["contacts"]) > 0, "the demo names contacts")
    check(len(demo["refused_contacts"]) >= 6, "the demo names six ways to be refused")
    for contact in demo["contacts"]:
        verify_contact(demo, keys, contact)
    verify_refusals(demo)
    verify_available(demo)
    verify_credentials_matter(demo)
    print(f"{checks} checks passed")


def published_keys(demo):
    status, _, body = get(demo, "/.well-known/oauth-authorization-server")
    equal(status, 200, "status of the metadata")
    metadata = json.loads(body)
    equal(metadata["issuer"], demo["issuer"], "issuer of the metadata")
    equal(metadata["jwks_uri"], demo["issuer"] + "/jwks", "jwks_uri of the metadata")
    status, _, body = get(demo, "/jwks")
    equal(status, 200, "status of the JWKS")
    jwks = json.loads(body)
    for key in jwks["keys"]:
        check(not {"d", "p", "q", "dp", "dq", "qi", "k"} & key.keys(), "the JWKS holds public halves only")
    return jwt.PyJWKSet.from_dict(jwks)


def verify_contact(demo, keys, contact):
    contact_id = contact["contact_id"]
    status, headers, body = ask(demo, contact_id)
    equal(status, 200, f"status for {contact_id}: {body!r}")
    equal(headers["cache-control"], "no-store", "Cache-Control")
    equal(headers["pragma"], "no-cache", "Pragma")
    answer = json.loads(body)
    equal(sorted(answer), ["access_token", "expires_in", "id_token", "token_type"], "fields of the answer")
    equal(answer["expires_in"], str(LIFETIME), "expires_in, a string")
    equal(answer["token_type"], "Bearer", "token_type")

    id_token = verify_token(demo, keys, answer["id_token"], demo["application_id"])
    access_token = verify_token(demo, keys, answer["access_token"], demo["resource_id"])
    verify_common(demo, contact_id, id_token, access_token)
    verify_id_token(contact, answer["id_token"], id_token)
    verify_access_token(demo, contact, answer["access_token"], access_token)
    refused_elsewhere(demo, keys, answer)


def verify_token(demo, keys, token, audience):
    """What PyJWT makes of it: signature, issuer, audience, times."""
    header = jwt.get_unverified_header(token)
    key = keys[header["kid"]]
    equal(header["alg"], key.algorithm_name, "alg of the header and of the key")
    claims = jwt.decode(
        token,
        key,
        algorithms=[key.algorithm_name],
        audience=audience,
        issuer=demo["issuer"],
        options={"require": ["iss", "sub", "aud", "iat", "exp", "jti"]},
    )
    equal(claims["aud"], audience, "aud, one string")
    return claims


def verify_common(demo, contact_id, id_token, access_token):
    for claims in (id_token, access_token):
        equal(claims["sub"], contact_id, "sub")
        equal(claims["act"], {"sub": demo["application_id"]}, "act")
        equal(claims["acr"], UNATTENDED, "acr")
        check(type(claims["iat"]) is int and type(claims["exp"]) is int, "iat and exp are whole numbers")
        equal(claims["exp"] - claims["iat"], LIFETIME, "exp - iat")
        for name in OF_A_PERSONS_LOGIN:
            check(name not in claims, f"no {name}")
    check(id_token["jti"] != access_token["jti"], "the two tokens have ids of their own")


def verify_id_token(contact, token, claims):
    check(jwt.get_unverified_header(token).get("typ") != "at+jwt", "the ID token is no access token")
    named = [client["client_id"] for client in claims["clients"]]
    equal(named, sorted(contact["clients"]), "clients of the ID token, in order")
    for client in claims["clients"]:
        equal(sorted(client), ["client_id", "client_name"], "fields of a client")
        check(client["client_name"] != "", "a client has a name")


def verify_access_token(demo, contact, token, claims):
    equal(jwt.get_unverified_header(token)["typ"], "at+jwt", "typ of the access token")
    equal(claims["client_id"], demo["application_id"], "client_id of the access token")
    check(type(claims["dv"]) is int, "dv is a whole number")
    mandates = claims["mandates"]
    for group in mandates:
        check(len(group["clients"]) > 0, "a group of mandates has clients")
        equal(group["clients"], sorted(group["clients"]), "clients of a group, in order")
        equal(group["permissions"], sorted(group["permissions"]), "permissions of a group, in order")
    firsts = [group["clients"][0] for group in mandates]
    equal(firsts, sorted(firsts), "groups of mandates, in order")
    permissions = [tuple(group["permissions"]) for group in mandates]
    equal(len(permissions), len(set(permissions)), "no two groups have equal permissions")
    everyone = [client for group in mandates for client in group["clients"]]
    equal(sorted(everyone), sorted(contact["clients"]), "clients of the access token, each once")
    held_by_all = set.intersection(*[set(group["permissions"]) for group in mandates])
    equal(claims["scope"], " ".join(["openid", *sorted(held_by_all)]), "scope")


def refused_elsewhere(demo, keys, answer):
    """The checks above can fail: the same library refuses what was tampered with or misplaced."""
    token = answer["access_token"]
    head, payload, signature = token.split(".")
    other = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    other["sub"] = "somebody-else"
    forged = base64.urlsafe_b64encode(json.dumps(other).encode()).rstrip(b"=").decode()
    refuses(demo, keys, f"{head}.{forged}.{signature}", demo["resource_id"], jwt.InvalidSignatureError)
    refuses(demo, keys, token, demo["application_id"], jwt.InvalidAudienceError)
    refuses(demo, keys, answer["id_token"], demo["resource_id"], jwt.InvalidAudienceError)


def refuses(demo, keys, token, audience, error):
    try:
        verify_token(demo, keys, token, audience)
    except error:
        check(True, "refused")
    else:
        check(False, f"a token that ought to raise {error.__name__}")


def verify_refusals(demo):
    """One answer for every reason: status, headers but date and reference, and every byte of the body."""
    answers = [(refused["why"], *ask(demo, refused["contact_id"])) for refused in demo["refused_contacts"]]
    first = answers[0]
    for why, status, headers, body in answers:
        equal(status, 400, f"status when {why}")
        equal(body, first[3], f"body when {why}")
        equal(comparable(headers), comparable(first[2]), f"headers when {why}")
        equal(len(headers["procura-reference"]), 22, "length of the reference")
    equal(json.loads(first[3])["error"], "invalid_grant", "error of a refusal")
    references = {headers["procura-reference"] for _, _, headers, _ in answers}
    equal(len(references), len(answers), "no reference comes twice")


def verify_available(demo):
    status, _, body = get(demo, "/info/available-contacts", demo["application_secret"])
    equal(status, 200, "status of the available contacts")
    available = json.loads(body)["data"]
    equal(available, sorted(available), "available contacts, in order")
    for contact in demo["contacts"]:
        check(contact["contact_id"] in available, "a contact with a token is available")
    for refused in demo["refused_contacts"]:
        check(refused["contact_id"] not in available, "a refused contact is not available")


def verify_credentials_matter(demo):
    contact_id = demo["contacts"][0]["contact_id"]
    status, headers, body = ask(demo, contact_id, secret="pcs_" + "A" * 43)
    equal(status, 401, "status with a wrong secret")
    equal(headers["www-authenticate"], 'Basic realm="procura"', "WWW-Authenticate")
    equal(json.loads(body)["error"], "invalid_client", "error with a wrong secret")
    check("procura-reference" not in headers, "a 401 carries no reference")


def ask(demo, contact_id, secret=None):
    path = "/token/" + urllib.parse.quote(contact_id, safe="")
    return send(demo, "POST", path, secret or demo["application_secret"])


def get(demo, path, secret=None):
    return send(demo, "GET", path, secret)


def send(demo, method, path, secret):
    """Status, headers by lower-case name, body."""
    request = urllib.request.Request(demo["base_url"] + path, method=method)
    if secret is not None:
        request.add_header("Authorization", basic(demo["application_id"], secret))
    try:
        with opener.open(request, timeout=TIMEOUT) as response:
            return response.status, by_name(response.headers), response.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, by_name(refusal.headers), refusal.read()


def basic(application_id, secret):
    # RFC 6749, section 2.3.1: both are form-encoded first.
    pair = urllib.parse.quote_plus(application_id) + ":" + urllib.parse.quote_plus(secret)
    return "Basic " + base64.b64encode(pair.encode()).decode()


def by_name(headers):
    return {name.lower(): value for name, value in headers.items()}


def comparable(headers):
    return {name: value for name, value in headers.items() if name not in OF_ONE_ANSWER}


def equal(seen, wanted, what):
    check(seen == wanted, f"{what}: {seen!r}, not {wanted!r}")


def check(holds, what):
    global checks
    if not holds:
        sys.exit(f"FAILED: {what}")
    checks += 1


if __name__ == "__main__":
    main()
