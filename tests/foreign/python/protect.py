"""Protects an HTTP API in Python with PyJWT. docs/protect-an-api.md shows the regions of this file."""

import base64
import hashlib
import http.client
import http.server
import json
import re
import ssl
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass

import jwt

ALGORITHMS = ("ES256", "RS256", "PS256", "EdDSA")
LEEWAY = 5
LONGEST = 16 * 1024
UNATTENDED = "urn:procura:acr:unattended"
PARTY = re.compile(r"(?!app_|\.{1,2}\Z)[A-Za-z0-9._-]{1,64}")
APPLICATION = re.compile(r"app_[A-Za-z0-9]{1,60}")
BEARER = re.compile(r"bearer(?![A-Za-z0-9_-])", re.IGNORECASE)
CREDENTIALS = re.compile(r"bearer ([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)
PERMISSIONS = frozenset(
    "can_authorise_payments can_make_same_currency_payments can_manage_beneficiaries"
    " can_manage_beneficiaries_groups can_manage_contacts can_manage_fix_forwards can_manage_multipayments"
    " can_manage_payments can_manage_permissions can_trade".split()
)
MESSAGES = {
    "invalid_request": "The request is malformed.",
    "no_contact": "The token acts for no contact.",
    "contact_mismatch": "X-Contact-ID is not the token's contact.",
    "client_not_allowed": "client_id must be one of the token's clients.",
    "insufficient_permission": "The token lacks the permission for this client.",
    "person_required": "This call needs a person who signed in.",
    "temporarily_unavailable": "The token can't be checked now.",
}


@dataclass(frozen=True)
class ActingFor:
    contact: str
    application: str
    client: str
    permissions: frozenset
    presence: str


class Refused(Exception):
    """The answer instead of the handler's: `code` is for the body, `error` for WWW-Authenticate."""

    def __init__(self, status, code=None, error=None, scope=None):
        super().__init__(status, code, error)
        self.status, self.code, self.error, self.scope = status, code, error, scope

    def answer(self, realm):
        headers, body = {}, b""
        if self.status == 401 or self.error:
            challenge = {"realm": realm, "error": self.error, "scope": self.scope}
            told = ", ".join(f'{name}="{value}"' for name, value in challenge.items() if value)
            headers["WWW-Authenticate"] = "Bearer " + told
        if self.status == 503:
            headers["Retry-After"] = "1"
        if self.code:
            headers["Content-Type"] = "application/json"
            message = {"code": self.code, "message": MESSAGES[self.code], "details": ""}
            body = json.dumps(message).encode()
        return self.status, headers, body


def unless(holds):
    """Whatever is wrong with a token, the answer is the same."""
    if not holds:
        raise Refused(401, error="invalid_token")


# region check
class Guard:
    def __init__(self, issuer, audience, keys, still_active=None):
        """`keys` is a jwt.PyJWKClient; `still_active(token)` asks the server, see Introspection."""
        self.issuer, self.audience, self.keys, self.still_active = issuer, audience, keys, still_active

    def check(self, target, headers, now, permission=None, person=False, certificate=None):
        """Who may do what, by a request's target and its headers as (name, value) pairs. Or Refused.

        `certificate` is the one that the caller showed in the TLS handshake, DER; None if it showed none.
        """
        query = urllib.parse.parse_qsl(target.partition("?")[2], keep_blank_values=True)
        headers = [(name.lower(), value) for name, value in headers]
        token = bearer_token(query, every(headers, "authorization"))
        claims, presence = self.claims(token, now)
        # Exactly this: with any other member the token is bound to something that is not checked here.
        unless("cnf" not in claims or certificate is not None and claims["cnf"] == bound_to(certificate))
        if self.still_active is not None:
            unless(self.still_active(token))
        if "mandates" not in claims:
            raise Refused(403, "no_contact")

        named = every(headers, "x-contact-id")
        if len(named) > 1:
            raise Refused(400, "invalid_request")
        if named and named[0] != claims["sub"]:
            raise Refused(403, "contact_mismatch")

        wanted = every(query, "client_id")
        if len(wanted) > 1:
            raise Refused(400, "invalid_request")
        held = {client: set(group["permissions"]) for group in claims["mandates"] for client in group["clients"]}
        if not wanted or wanted[0] not in held:
            raise Refused(403, "client_not_allowed")
        permissions = frozenset(held[wanted[0]])
        if permission is not None and permission not in permissions:
            raise Refused(403, "insufficient_permission", "insufficient_scope", permission)
        if person and presence != "person":
            raise Refused(403, "person_required")
        return ActingFor(claims["sub"], claims["client_id"], wanted[0], permissions, presence)

    def claims(self, token, now):
        """The claims of a token that is ours, for this API and in force; who was present."""
        parts = token.split(".")
        unless(len(token) <= LONGEST and len(parts) == 3)
        header, claims = strict_object(parts[0]), strict_object(parts[1])
        decoded(parts[2])
        kid, typ = header.get("kid"), header.get("typ")
        unless("crit" not in header and isinstance(kid, str) and isinstance(typ, str))
        unless(typ.lower() in ("at+jwt", "application/at+jwt") and header.get("alg") in ALGORITHMS)
        key = self.key(kid)
        unless(key.algorithm_name == header["alg"])
        # The times are checked below, by the clock that the caller gave.
        options = {"strict_aud": True, "verify_exp": False, "verify_nbf": False, "verify_iat": False}
        try:
            jwt.decode(token, key, [header["alg"]], options, audience=self.audience, issuer=self.issuer)
        except jwt.PyJWTError:
            unless(False)
        unless(well_formed(claims))
        unless(claims["exp"] + LEEWAY > now and claims["iat"] <= now + LEEWAY)
        unless(claims.get("nbf", now) <= now + LEEWAY)
        return claims, "no_person" if "act" in claims else "person"

    def key(self, kid):
        """By the published set: kept for its lifespan, asked for once more for an unknown kid."""
        try:
            self.keys.get_signing_keys()
        except jwt.PyJWTError as error:
            raise Refused(503, "temporarily_unavailable") from error
        try:
            return self.keys.get_signing_key(kid)
        except jwt.PyJWKClientConnectionError as error:
            raise Refused(503, "temporarily_unavailable") from error
        except jwt.PyJWKClientError as error:
            raise Refused(401, error="invalid_token") from error


def bound_to(certificate):
    """`cnf` of a token that is bound to a certificate (RFC 8705, section 3.1)."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(certificate).digest())
    return {"x5t#S256": digest.decode().rstrip("=")}

# endregion check


def well_formed(claims):
    """Whether each claim is there and is what the contract says."""
    numbers = ["iat", "exp", "dv", *({"nbf", "auth_time"} & claims.keys())]
    if not all(type(claims.get(name)) is int and 0 <= claims[name] < 2**53 for name in numbers):
        return False
    application, contact, acr = claims.get("client_id"), claims.get("sub"), claims.get("acr", "")
    if not all(isinstance(text, str) for text in (claims.get("jti"), claims.get("scope"), acr)):
        return False
    if claims["jti"] == "" or not is_text(application, APPLICATION):
        return False
    if contact == application:  # An application alone.
        return not {"act", "auth_time", "mandates"} & claims.keys()
    if "act" in claims:
        present = claims["act"] == {"sub": application} and acr == UNATTENDED and "auth_time" not in claims
    else:
        present = acr != UNATTENDED and "auth_time" in claims
    return present and is_text(contact, PARTY) and well_formed_mandates(claims.get("mandates"))


def well_formed_mandates(mandates):
    if not isinstance(mandates, list) or not all(isinstance(group, dict) for group in mandates):
        return False
    lists = [group.get(name) for group in mandates for name in ("clients", "permissions")]
    if not all(isinstance(texts, list) and all(isinstance(text, str) for text in texts) for texts in lists):
        return False
    clients = [client for group in mandates for client in group["clients"]]
    if not mandates or not all(group["clients"] for group in mandates) or len(clients) != len(set(clients)):
        return False
    held = {name for group in mandates for name in group["permissions"]}
    return held <= PERMISSIONS and all(is_text(client, PARTY) for client in clients)


def is_text(value, pattern):
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def strict_object(part):
    """One JSON object that names no member twice, at no depth."""

    def once(pairs):
        unless(len(pairs) == len(dict(pairs)))
        return dict(pairs)

    def never(_):
        raise ValueError("no JSON number")

    try:
        value = json.loads(decoded(part).decode("utf-8"), object_pairs_hook=once, parse_constant=never)
    except (ValueError, RecursionError):
        unless(False)
    unless(isinstance(value, dict))
    return value


def decoded(part):
    """Base64url in the one spelling that it has."""
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        unless(False)
    unless(base64.urlsafe_b64encode(raw).decode().rstrip("=") == part)
    return raw


def bearer_token(query, authorizations):
    if every(query, "access_token") or len(authorizations) > 1:
        raise Refused(400, "invalid_request", "invalid_request")
    if not authorizations or not BEARER.match(authorizations[0]):
        raise Refused(401)
    credentials = CREDENTIALS.fullmatch(authorizations[0])
    if credentials is None:
        raise Refused(400, "invalid_request", "invalid_request")
    return credentials[1]


def every(pairs, name):
    return [value for key, value in pairs if key == name]


# region introspection
class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Introspection:
    """Asks the server whether a token is still active. Whatever is not a plain answer is a 503."""

    def __init__(self, endpoint, resource_id, resource_secret, timeout=2):
        # RFC 6749, section 2.3.1: both are form-encoded first.
        pair = ":".join(urllib.parse.quote_plus(half) for half in (resource_id, resource_secret))
        self.authorization = "Basic " + base64.b64encode(pair.encode()).decode()
        self.endpoint, self.timeout = endpoint, timeout
        self.opener = urllib.request.build_opener(NoRedirect)

    def __call__(self, token):
        form = urllib.parse.urlencode({"token": token}).encode()
        request = urllib.request.Request(self.endpoint, form, {"Authorization": self.authorization})
        try:
            with self.opener.open(request, timeout=self.timeout) as response:
                active = json.load(response)["active"]
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            raise Refused(503, "temporarily_unavailable") from error
        if not isinstance(active, bool):
            raise Refused(503, "temporarily_unavailable")
        return active
# endregion introspection


# region handler
class Api(http.server.BaseHTTPRequestHandler):
    """Two routes. Each says which permission it needs; None is authority to read."""

    def accounts(self, acting):
        return {"accounts_of": acting.client, "read_by": acting.contact}

    def trades(self, acting):
        return {"traded_for": acting.client, "by": acting.contact, "through": acting.application}

    routes = {("GET", "/accounts"): (None, accounts), ("POST", "/trades"): ("can_trade", trades)}
    guard = None  # Guard(issuer, audience, jwt.PyJWKClient(issuer + "/jwks", lifespan=300, timeout=5))

    def respond(self):
        permission, handler = self.routes.get((self.command, self.path.partition("?")[0]), (None, None))
        if handler is None:
            return self.send(404, {}, b"")
        try:
            # Only where this server itself ends the TLS and asks for certificates; see ssl.SSLContext.
            tls = isinstance(self.connection, ssl.SSLSocket)
            certificate = self.connection.getpeercert(binary_form=True) if tls else None
            request = self.path, self.headers.items(), time.time(), permission
            acting = self.guard.check(*request, certificate=certificate)
        except Refused as refused:
            return self.send(*refused.answer(self.guard.audience))
        body = json.dumps(handler(self, acting)).encode()
        return self.send(200, {"Content-Type": "application/json"}, body)

    do_GET = do_POST = respond

    def send(self, status, headers, body):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
# endregion handler
