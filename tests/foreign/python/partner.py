"""A partner's program with stock libraries: contact tokens by mutual TLS (requests) and by assertion (PyJWT).

Usage: partner.py DEMO, where DEMO holds the line that `procura demo --tls --json` prints. The last line says how
much was checked; the first thing that is not right ends the program.
"""

import base64
import hashlib
import json
import secrets
import sys
import time

import jwt
import requests

TIMEOUT = 20
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

checks = 0


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: partner.py DEMO")
    with open(sys.argv[1], encoding="utf-8") as file:
        demo = json.load(file)
    keys = jwt.PyJWKSet.from_dict(session(demo).get(demo["base_url"] + "/jwks", timeout=TIMEOUT).json())
    by_certificate(demo, keys)
    if "private_key_jwt" in demo:
        by_assertion(demo, keys)
    else:
        print("skipped assertions: the demo has no application that signs")
    print(f"{checks} checks passed")


# region mutual_tls
def session(demo, certificate_file=None, key_file=None):
    """Connections that show a certificate to a server that asks for one."""
    partner = requests.Session()
    partner.trust_env = False  # Loopback, whatever proxy the environment names.
    partner.verify = demo["ca_file"]
    if certificate_file:
        partner.cert = (certificate_file, key_file)
    return partner


def token_by_certificate(partner, base_url, application_id, contact_id):
    """The certificate of the connection is the proof; the form says whose it should be."""
    form = {"client_id": application_id}
    return partner.post(f"{base_url}/token/{contact_id}", data=form, timeout=TIMEOUT)
# endregion mutual_tls


def by_certificate(demo, keys):
    mtls = demo["mtls"]
    base_url, application, contact = demo["base_url"], mtls["application_id"], mtls["contact_id"]
    partner = session(demo, mtls["certificate_file"], mtls["key_file"])
    for _ in range(2):  # The second time on the same connection.
        answer = token_by_certificate(partner, base_url, application, contact)
        equal(answer.status_code, 200, f"status by certificate: {answer.text}")
        verify(demo, keys, answer.json(), application, contact)
        equal(confirmation(answer.json()), {"x5t#S256": thumbprint(mtls["certificate_file"])}, "cnf")

    contacts = f"{base_url}/info/available-contacts"
    answer = partner.get(contacts, params={"client_id": application}, timeout=TIMEOUT)
    equal(answer.status_code, 200, "status of the list by certificate")
    check(contact in answer.json()["data"], "the contact is in the list")

    token = token_by_certificate(partner, base_url, application, contact).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    equal(partner.get(f"{base_url}/clients", headers=bearer, timeout=TIMEOUT).status_code, 200, "the own API")
    stranger = session(demo)
    stolen = stranger.get(f"{base_url}/clients", headers=bearer, timeout=TIMEOUT)
    equal((stolen.status_code, stolen.text), (401, ""), "a stolen token without the certificate")
    check('error="invalid_token"' in stolen.headers["WWW-Authenticate"], "the challenge to a stolen token")

    for somebody in (application, "app_nobody"):
        answer = token_by_certificate(stranger, base_url, somebody, contact)
        equal((answer.status_code, answer.text), (496, ""), f"no certificate, as {somebody}")
        if somebody != application:
            answer = token_by_certificate(partner, base_url, somebody, contact)
            equal((answer.status_code, answer.json()["error"]), (495, "invalid_client"), "another's name")


# region assertion
def assertion(key, kid, application_id, audience, **changed):
    """A JWT for one request: it is good for a minute, and once."""
    now = int(time.time())
    claims = {"iss": application_id, "sub": application_id, "aud": audience, "iat": now, "exp": now + 60}
    claims["jti"] = secrets.token_urlsafe(16)
    return jwt.encode(claims | changed, key, algorithm="ES256", headers={"kid": kid} if kid else None)


def form_of(application_id, signed):
    form = {"client_id": application_id, "client_assertion_type": ASSERTION_TYPE}
    return form | {"client_assertion": signed}
# endregion assertion


def by_assertion(demo, keys):
    told = demo["private_key_jwt"]
    base_url, application, contact = demo["base_url"], told["application_id"], told["contact_id"]
    with open(told["key_file"], "rb") as file:
        key = file.read()
    partner, url = session(demo), f"{base_url}/token/{contact}"

    def ask(signed):
        return partner.post(url, data=form_of(application, signed), timeout=TIMEOUT)

    signed = assertion(key, told.get("kid"), application, demo["issuer"])
    answer = ask(signed)
    equal(answer.status_code, 200, f"status by assertion: {answer.text}")
    verify(demo, keys, answer.json(), application, contact)
    equal(confirmation(answer.json()), None, "no cnf without a certificate")
    refused(ask(signed), "the same assertion again")
    other = form_of(application, assertion(key, told.get("kid"), application, demo["issuer"]))
    answer = partner.get(f"{base_url}/info/available-contacts", params=other, timeout=TIMEOUT)
    equal(answer.status_code, 200, "status of the list by assertion")
    for what, changed in (
        ("another audience", {"aud": "https://other.example"}),
        ("a list as audience", {"aud": [demo["issuer"]]}),
        ("another issuer", {"iss": "app_nobody"}),
        ("an expired one", {"exp": int(time.time()) - 60}),
        ("one without an end", {"exp": None}),
    ):
        claims = {name: value for name, value in changed.items() if value is not None}
        signed = assertion(key, told.get("kid"), application, demo["issuer"], **claims)
        if changed != claims:
            signed = without(key, signed, changed)
        refused(ask(signed), what)
    unsigned = jwt.encode(jwt.decode(signed, options={"verify_signature": False}), None, algorithm="none")
    refused(ask(unsigned), "alg none")


def without(key, signed, names):
    """The same assertion without these claims."""
    claims = jwt.decode(signed, options={"verify_signature": False})
    kid = jwt.get_unverified_header(signed).get("kid")
    left = {name: value for name, value in claims.items() if name not in names}
    return jwt.encode(left, key, algorithm="ES256", headers={"kid": kid} if kid else None)


def refused(answer, what):
    equal((answer.status_code, answer.json()["error"]), (401, "invalid_client"), what)


def verify(demo, keys, answer, application, contact):
    claims = jwt.decode(
        answer["id_token"],
        keys[jwt.get_unverified_header(answer["id_token"])["kid"]],
        algorithms=["ES256", "RS256", "PS256", "EdDSA"],
        audience=application,
        issuer=demo["issuer"],
    )
    equal((claims["sub"], claims["act"]), (contact, {"sub": application}), "who acts for whom")
    check(claims["clients"] and "cnf" not in claims, "clients, and no cnf in an ID token")


def confirmation(answer):
    return jwt.decode(answer["access_token"], options={"verify_signature": False}).get("cnf")


def thumbprint(certificate_file):
    """`x5t#S256` of the first certificate of a PEM file (RFC 8705, section 3.1)."""
    with open(certificate_file, encoding="ascii") as file:
        body = file.read().split("-----BEGIN CERTIFICATE-----")[1].split("-----END CERTIFICATE-----")[0]
    digest = hashlib.sha256(base64.b64decode(body)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def equal(seen, wanted, what):
    check(seen == wanted, f"{what}: {seen!r}, not {wanted!r}")


def check(holds, what):
    global checks
    if not holds:
        sys.exit(f"FAILED: {what}")
    checks += 1


if __name__ == "__main__":
    main()
