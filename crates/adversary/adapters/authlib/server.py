"""An authorization server of Authlib's parts, put together as its documentation says: JWT bearer and client
credentials, JWT access tokens, introspection, and an API behind its resource protector.

What Authlib leaves to whoever uses it is here, and no more: who the applications and the contacts are, who may act for
whom, and which client assertions were used. It prints what the adapter needs and serves until standard input ends.
"""

import json
import os
import secrets
import sys
import tempfile
import threading

from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion, JWTBearerGrant
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc9068 import (
    JWTBearerTokenGenerator,
    JWTBearerTokenValidator,
    JWTIntrospectionEndpoint,
)
from flask import Flask, jsonify
from joserfc.jwk import ECKey, KeySet
from waitress import create_server

API = "https://api.example"
SCOPES = ["can_manage_payments", "can_trade"]
MAY_ACT_FOR = {
    "app-main": {"alice", "bob"},
    "app-signing": {"alice", "bob"},
    "app-other": {"carol"},
    "app-untrusted": set(),
}
CONTACTS = {"alice", "bob", "carol", "dave"}


class Application(ClientMixin):
    def __init__(self, name, method, grants):
        self.client_id = name
        self.secret = secrets.token_urlsafe(32)
        self.method = method
        self.grants = grants
        self.key = ECKey.generate_key("P-256", {"alg": "ES256", "use": "sig"}, auto_kid=True)

    def get_client_id(self):
        return self.client_id

    def get_allowed_scope(self, scope):
        return " ".join(name for name in (scope or "").split() if name in SCOPES)

    def check_client_secret(self, client_secret):
        return secrets.compare_digest(self.secret.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method, endpoint):
        return method == self.method

    def check_grant_type(self, grant_type):
        return grant_type in self.grants

    def keys(self):
        return KeySet([ECKey.import_key(self.key.as_dict(private=False))])


class Contact:
    def __init__(self, name):
        self.name = name

    def get_user_id(self):
        return self.name


BOTH = ["client_credentials", JWTBearerGrant.GRANT_TYPE]
APPLICATIONS = {
    application.client_id: application
    for application in [
        Application("app-main", "client_secret_basic", BOTH),
        Application("app-signing", "private_key_jwt", BOTH),
        Application("app-other", "client_secret_basic", BOTH),
        Application("app-untrusted", "client_secret_basic", ["client_credentials"]),
    ]
}
SIGNING = ECKey.generate_key("P-256", {"alg": "ES256", "use": "sig"}, auto_kid=True)

app = Flask(__name__)
listener = create_server(app, host="127.0.0.1", port=0, threads=8)
ISSUER = f"http://127.0.0.1:{listener.effective_port}"
AUDIENCES = [ISSUER, f"{ISSUER}/token"]


class Tokens(JWTBearerTokenGenerator):
    def get_jwks(self):
        return KeySet([SIGNING])

    def get_audiences(self, client, user, scope):
        return API

    def get_extra_claims(self, client, grant_type, user, scope):
        # Its own validator takes no token whose scope is null, as it is when none is asked for.
        return {} if scope else {"scope": " ".join(SCOPES)}


class Grant(JWTBearerGrant):
    def resolve_issuer_client(self, issuer):
        return APPLICATIONS.get(issuer)

    def resolve_client_public_key(self, client):
        return client.keys()

    def authenticate_user(self, subject):
        return Contact(subject) if subject in CONTACTS else None

    def has_granted_permission(self, client, user):
        return user.name in MAY_ACT_FOR[client.client_id]

    def get_audiences(self):
        return AUDIENCES


class ClientCredentials(ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "private_key_jwt"]


class Assertion(JWTBearerClientAssertion):
    CLIENT_AUTH_METHOD = "private_key_jwt"
    used = set()

    def get_audiences(self):
        return AUDIENCES

    def validate_jti(self, claims, jti):
        entry = (claims["sub"], json.dumps(jti))
        new = entry not in self.used
        self.used.add(entry)
        return new

    def resolve_client_public_key(self, client):
        return client.keys()


class Introspection(JWTIntrospectionEndpoint):
    CLIENT_AUTH_METHODS = ["client_secret_basic", "private_key_jwt"]

    def get_jwks(self):
        return KeySet([SIGNING])

    def check_permission(self, token, client, request):
        return token["client_id"] == client.client_id


class NoOtherTokens(IntrospectionEndpoint):
    # What is no JWT of this server comes here, and is none.
    CLIENT_AUTH_METHODS = Introspection.CLIENT_AUTH_METHODS

    def query_token(self, token_string, token_type_hint):
        return None

    def check_permission(self, token, client, request):
        return False

    def introspect_token(self, token):
        return {"active": False}


class Validator(JWTBearerTokenValidator):
    def get_jwks(self):
        return KeySet([SIGNING])


app.config["OAUTH2_SCOPES_SUPPORTED"] = SCOPES
server = AuthorizationServer(app, APPLICATIONS.get, lambda token, request: None)
server.register_token_generator("default", Tokens(issuer=ISSUER, alg="ES256", expires_generator=lambda client, grant: 600))
server.register_grant(Grant)
server.register_grant(ClientCredentials)
server.register_client_auth_method("private_key_jwt", Assertion())
server.register_endpoint(Introspection(issuer=ISSUER))
server.register_endpoint(NoOtherTokens)
protected = ResourceProtector()
protected.register_token_validator(Validator(issuer=ISSUER, resource_server=API))


@app.post("/token")
def token():
    return server.create_token_response()


@app.post("/introspect")
def introspect():
    return server.create_endpoint_response(Introspection.ENDPOINT_NAME)


@app.get("/jwks")
def jwks():
    return jsonify(KeySet([SIGNING]).as_dict(private=False))


@app.get("/api")
@protected()
def api():
    return jsonify({"ok": True})


def main():
    threading.Thread(target=listener.run, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="adversary-authlib-") as folder:
        told = {"issuer": ISSUER, "folder": folder}
        for name, application in APPLICATIONS.items():
            path = os.path.join(folder, f"{name}.key")
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                file.write(application.key.as_pem(private=True))
            told[f"{name}-secret"] = application.secret
            told[f"{name}-kid"] = application.key.kid
        print(json.dumps(told), flush=True)
        sys.stdin.read()


main()
