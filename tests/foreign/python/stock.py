"""A partner's program on Authlib, which nobody here wrote: contact tokens by the JWT bearer grant and by token exchange,
with a secret, with private_key_jwt and with mutual TLS; and their use.

Usage: stock.py DEMO API, where DEMO holds the line that `procura demo --tls --json` prints and API is where
examples/payments listens. The last line says how much was checked; the first thing that is not right ends the program.
"""

import json
import sys

import requests

# region authlib_imports
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import AssertionSession, OAuth2Session
from authlib.oauth2.base import OAuth2Error
from authlib.oauth2.rfc7523 import PrivateKeyJWT, private_key_jwt_sign
from authlib.oauth2.rfc7523.assertion import sign_jwt_bearer_assertion
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

TIMEOUT = 20
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"
# endregion authlib_imports
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"

checks = 0


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: stock.py DEMO API")
    with open(sys.argv[1], encoding="utf-8") as file:
        demo = json.load(file)
    api = sys.argv[2]
    plain = requests.Session()
    plain.trust_env, plain.verify = False, demo["ca_file"]
    metadata = plain.get(f"{demo['issuer']}/.well-known/oauth-authorization-server", timeout=TIMEOUT).json()
    keys = KeySet.import_key_set(plain.get(metadata["jwks_uri"], timeout=TIMEOUT).json())
    server = Server(demo, metadata, keys)
    by_secret(server)
    by_key(server, api)
    by_certificate(server, plain)
    print(f"{checks} checks passed")


class Server:
    """What a partner knows of the server, and the key that its grants are signed with."""

    def __init__(self, demo, metadata, keys):
        self.demo, self.metadata, self.keys = demo, metadata, keys
        with open(demo["grant_key_file"], encoding="ascii") as file:
            self.key = ECKey.import_key(file.read())

    def prepared(self, session):
        session.trust_env = False  # Loopback, whatever proxy the environment names.
        session.verify = self.demo["ca_file"]
        return session


# region authlib_session
def session_for_contact(metadata, application, secret, key, contact):
    """A session that acts for one contact. It asks for a token by itself, and again before that expires."""
    session = AssertionSession(
        metadata["token_endpoint"],
        issuer=application,
        subject=contact,
        audience=metadata["issuer"],
        key=key,
        header={"alg": "ES256", "typ": "authorization-grant+jwt"},
        expires_in=60,
        default_timeout=20,
    )
    # The assertion says for whom. Who asks is proved apart from it.
    session.auth = (application, secret)
    return session
# endregion authlib_session


# region authlib_grant
def grant(key, metadata, application, contact):
    """A JWT that asks for one contact. It is good for a minute, and once."""
    header = {"alg": "ES256", "typ": "authorization-grant+jwt"}
    return sign_jwt_bearer_assertion(
        key, issuer=application, audience=metadata["issuer"], subject=contact, header=header, expires_in=60
    )


def token_by_assertion(session, assertion, **more):
    return session.fetch_token(grant_type=JWT_BEARER, assertion=assertion, **more)


def token_by_exchange(session, assertion, **more):
    """An ID token comes here when `openid` asks for it."""
    more = {"scope": "openid", **more}
    exchanged = {"subject_token": assertion, "subject_token_type": JWT}
    return session.fetch_token(grant_type=TOKEN_EXCHANGE, **exchanged, **more)
# endregion authlib_grant


# region authlib_private_key_jwt
class ByKey(PrivateKeyJWT):
    """private_key_jwt as the server takes it: for its issuer, in ES256, for a minute and not for an hour."""

    def __init__(self, issuer):
        super().__init__(alg="ES256")
        self.issuer = issuer

    def sign(self, auth, token_endpoint):
        return private_key_jwt_sign(auth.client_secret, auth.client_id, self.issuer, alg=self.alg, expires_in=60)


def session_by_key(metadata, application, key):
    session = OAuth2Session(
        application,
        key,
        token_endpoint_auth_method="private_key_jwt",
        token_endpoint=metadata["token_endpoint"],
        default_timeout=20,
    )
    session.register_client_auth_method(ByKey(metadata["issuer"]))
    return session
# endregion authlib_private_key_jwt


# region authlib_mutual_tls
def session_by_certificate(metadata, application, certificate_file, key_file):
    """The certificate of the connection is the proof; the form says whose it should be."""
    endpoints = metadata.get("mtls_endpoint_aliases", metadata)
    session = OAuth2Session(
        application,
        token_endpoint_auth_method="none",
        token_endpoint=endpoints["token_endpoint"],
        default_timeout=20,
    )
    session.cert = (certificate_file, key_file)
    return session
# endregion authlib_mutual_tls


def by_secret(server):
    demo, metadata = server.demo, server.metadata
    application, secret = demo["application_id"], demo["application_secret"]
    contact = demo["contacts"][0]
    session = session_for_contact(metadata, application, secret, server.key, contact["contact_id"])
    clients = server.prepared(session).get(f"{demo['base_url']}/clients")
    equal(clients.status_code, 200, f"status at the own API: {clients.text}")
    first = session.token
    verify(server, first, application, contact["contact_id"], contact["clients"])
    equal(claims_of(server, first)["aud"], demo["resource_id"], "aud")
    check("cnf" not in claims_of(server, first), "bound to nothing")
    session.token = {**first, "expires_at": 0}
    equal(session.get(f"{demo['base_url']}/clients").status_code, 200, "status with the next token")
    check(session.token["access_token"] != first["access_token"], "the session asked again")
    nobody = session_for_contact(metadata, application, secret, server.key, "CON3002")
    refused(server.prepared(nobody).refresh_token, "invalid_grant", "a contact that nobody gave a mandate")
    session.auth = (application, "pcs_" + "A" * 43)
    refused(session.refresh_token, "invalid_client", "an assertion beside a wrong secret")
    session.auth = None
    refused(session.refresh_token, "invalid_client", "an assertion alone")


def by_key(server, api):
    demo, metadata = server.demo, server.metadata
    told, resource = demo["private_key_jwt"], demo["payments_resource_id"]
    application, contact = told["application_id"], told["contact_id"]
    session = server.prepared(session_by_key(metadata, application, server.key))
    assertion = grant(server.key, metadata, application, contact)
    token = token_by_assertion(session, assertion, resource=resource)
    [client] = verify(server, token, application, contact)
    equal(claims_of(server, token)["aud"], resource, "aud")
    payments = f"{api}/payments?client_id={client}"
    equal(session.get(payments).status_code, 200, "status at the API")
    equal(session.get(payments + "0").status_code, 403, "status for another client")
    refused(lambda: token_by_assertion(session, assertion), "invalid_grant", "the same assertion again")
    refused(lambda: token_by_exchange(session, assertion), "invalid_grant", "the same assertion exchanged")
    signed = ByKey(metadata["issuer"]).sign(session.client_auth(None), None)
    refused(lambda: token_by_assertion(session, signed), "invalid_grant", "what proves the application, as a grant")
    stranger = grant(ECKey.generate_key("P-256"), metadata, application, contact)
    refused(lambda: token_by_assertion(session, stranger), "invalid_grant", "signed by another key")

    def exchange(**more):
        return token_by_exchange(session, grant(server.key, metadata, application, contact), **more)

    token = exchange(resource=resource)
    verify(server, token, application, contact)
    equal(token["issued_token_type"], ACCESS_TOKEN, "issued_token_type")
    equal(session.get(payments).status_code, 200, "status at the API with an exchanged token")
    token = exchange(scope="can_trade", requested_token_type=ACCESS_TOKEN, clients=client)
    check("id_token" not in token, "no ID token, for openid did not ask for one")
    check("can_trade" in token["scope"].split(), "scope")
    refused(lambda: exchange(actor_token="x"), "invalid_request", "another who acts")
    refused(lambda: exchange(scope="openid can_fly"), "invalid_scope", "a permission that there is not")
    issued = {"subject_token": token["access_token"], "subject_token_type": ACCESS_TOKEN}
    refused(
        lambda: session.fetch_token(grant_type=TOKEN_EXCHANGE, **issued), "invalid_request", "a token of the server's own"
    )

    token = session.fetch_token(grant_type="client_credentials")
    check(not {"id_token", "scope", "refresh_token"} & token.keys(), "nothing but an access token")
    claims = claims_of(server, token)
    equal((claims["sub"], "act" in claims), (application, False), "the own token is of the application")


def by_certificate(server, plain):
    demo, metadata, told = server.demo, server.metadata, server.demo["fapi2_mtls"]
    application, contact = told["application_id"], told["contact_id"]
    files = told["certificate_file"], told["key_file"]
    session = server.prepared(session_by_certificate(metadata, application, *files))
    assertion = grant(server.key, metadata, application, contact)
    token = token_by_assertion(session, assertion)
    verify(server, token, application, contact)
    equal(list(claims_of(server, token)["cnf"]), ["x5t#S256"], "cnf")
    clients = f"{demo['base_url']}/clients"
    equal(session.get(clients).status_code, 200, "status at the own API")
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    stolen = plain.get(clients, headers=bearer, timeout=TIMEOUT)
    equal((stolen.status_code, stolen.text), (401, ""), "the token without the certificate")
    refused(lambda: token_by_assertion(session, assertion), "invalid_grant", "the same assertion again")
    token = token_by_exchange(session, grant(server.key, metadata, application, contact))
    verify(server, token, application, contact)
    equal(list(claims_of(server, token)["cnf"]), ["x5t#S256"], "cnf of an exchanged token")
    session.cert = None
    session.close()  # Or the next request would go over a connection that has shown the certificate.
    fresh = grant(server.key, metadata, application, contact)
    refused(lambda: token_by_assertion(session, fresh), "invalid_client", "a grant without the certificate")


def verify(server, token, application, contact, clients=None):
    """What every contact token has; the clients in its ID token."""
    claims = claims_of(server, token)
    equal((claims["sub"], claims["act"]), (contact, {"sub": application}), "who acts for whom")
    equal((token["scope"], token["token_type"]), (claims["scope"], "Bearer"), "scope and type")
    check(isinstance(token["expires_in"], int) and "refresh_token" not in token, "how long")
    identity = jwt.decode(token["id_token"], server.keys, algorithms=["ES256"]).claims
    named = (identity["iss"], identity["aud"], identity["sub"])
    equal(named, (server.demo["issuer"], application, contact), "the ID token")
    listed = [client["client_id"] for client in identity["clients"]]
    check(listed if clients is None else listed == clients, f"clients: {listed}")
    return listed


def claims_of(server, token):
    return jwt.decode(token["access_token"], server.keys, algorithms=["ES256"]).claims


def refused(ask, error, what):
    try:
        ask()
    except (OAuth2Error, OAuthError) as told:
        equal(told.error, error, what)
    else:
        sys.exit(f"FAILED: {what}: a token")


def equal(seen, wanted, what):
    check(seen == wanted, f"{what}: {seen!r}, not {wanted!r}")


def check(holds, what):
    global checks
    if not holds:
        sys.exit(f"FAILED: {what}")
    checks += 1


if __name__ == "__main__":
    main()
