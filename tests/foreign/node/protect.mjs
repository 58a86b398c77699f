// Protects an HTTP API in Node.js with `jose`. docs/protect-an-api.md shows the regions of this file.

import { createHash, webcrypto } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { errors, jwtVerify } from "jose";

// Node.js 18 has it, but not under this name.
globalThis.crypto ??= webcrypto;

const ALGORITHMS = ["ES256", "RS256", "PS256", "EdDSA"];
const LEEWAY = 5;
const LONGEST = 16 * 1024;
const UNATTENDED = "urn:procura:acr:unattended";
const PARTY = /^(?!app_|\.{1,2}$)[A-Za-z0-9._-]{1,64}$/;
const APPLICATION = /^app_[A-Za-z0-9]{1,60}$/;
const BEARER = /^bearer(?![A-Za-z0-9_-])/i;
const CREDENTIALS = /^bearer ([A-Za-z0-9._~+/-]+=*)$/i;
const PERMISSIONS = new Set([
  "can_authorise_payments", "can_make_same_currency_payments", "can_manage_beneficiaries",
  "can_manage_beneficiaries_groups", "can_manage_contacts", "can_manage_fix_forwards",
  "can_manage_multipayments", "can_manage_payments", "can_manage_permissions", "can_trade",
]);
const MESSAGES = {
  invalid_request: "The request is malformed.",
  no_contact: "The token acts for no contact.",
  contact_mismatch: "X-Contact-ID is not the token's contact.",
  client_not_allowed: "client_id must be one of the token's clients.",
  insufficient_permission: "The token lacks the permission for this client.",
  person_required: "This call needs a person who signed in.",
  temporarily_unavailable: "The token can't be checked now.",
};

// The answer instead of the handler's: `code` is for the body, `error` for WWW-Authenticate.
export class Refused extends Error {
  constructor(status, { code, error, scope } = {}) {
    super(`${status} ${code ?? error ?? ""}`);
    Object.assign(this, { status, code, error, scope });
  }

  answer(realm) {
    const headers = {};
    if (this.status === 401 || this.error) {
      const challenge = Object.entries({ realm, error: this.error, scope: this.scope });
      const told = challenge.filter(([, value]) => value).map(([name, value]) => `${name}="${value}"`);
      headers["WWW-Authenticate"] = `Bearer ${told.join(", ")}`;
    }
    if (this.status === 503) headers["Retry-After"] = "1";
    if (!this.code) return { status: this.status, headers, body: "" };
    headers["Content-Type"] = "application/json";
    const body = JSON.stringify({ code: this.code, message: MESSAGES[this.code], details: "" });
    return { status: this.status, headers, body };
  }
}

// Whatever is wrong with a token, the answer is the same.
function unless(holds) {
  if (!holds) throw new Refused(401, { error: "invalid_token" });
}

// region check
export class Guard {
  // `keys` is what jose's createRemoteJWKSet gives; `stillActive(token)` asks the server, see introspection.
  constructor({ issuer, audience, keys, stillActive }) {
    Object.assign(this, { issuer, audience, keys, stillActive });
  }

  // Who may do what, by a request's target and its headers as [name, value] pairs. Or Refused.
  // `certificate` is the one that the caller showed in the TLS handshake, DER; undefined if it showed none.
  async check(target, headers, { now, permission, person = false, certificate }) {
    // The mark stays: a second one belongs to the first name.
    const query = new URLSearchParams(target.includes("?") ? target.slice(target.indexOf("?")) : "");
    const named = (name) => headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
    const token = bearerToken(query, named("authorization"));
    const claims = await this.claims(token, now);
    // Exactly this: with any other member the token is bound to something that is not checked here.
    unless(!("cnf" in claims) || (certificate && isDeepStrictEqual(claims.cnf, boundTo(certificate))));
    if (this.stillActive) unless(await this.stillActive(token));
    if (!("mandates" in claims)) throw new Refused(403, { code: "no_contact" });

    const contacts = named("x-contact-id");
    if (contacts.length > 1) throw new Refused(400, { code: "invalid_request" });
    if (contacts.length === 1 && contacts[0] !== claims.sub) throw new Refused(403, { code: "contact_mismatch" });

    const wanted = query.getAll("client_id");
    if (wanted.length > 1) throw new Refused(400, { code: "invalid_request" });
    const group = claims.mandates.find(({ clients }) => clients.includes(wanted[0]));
    if (!group) throw new Refused(403, { code: "client_not_allowed" });
    if (permission && !group.permissions.includes(permission)) {
      throw new Refused(403, { code: "insufficient_permission", error: "insufficient_scope", scope: permission });
    }
    const presence = "act" in claims ? "no_person" : "person";
    if (person && presence !== "person") throw new Refused(403, { code: "person_required" });
    const permissions = new Set(group.permissions);
    return { contact: claims.sub, application: claims.client_id, client: wanted[0], permissions, presence };
  }

  // The claims of a token that is ours, for this API and in force.
  async claims(token, now) {
    const parts = token.split(".");
    unless(token.length <= LONGEST && parts.length === 3 && parts.every(isCanonical));
    const [header, claims] = parts.slice(0, 2).map(strictObject);
    const { alg, kid, typ } = header;
    unless(!("crit" in header) && ALGORITHMS.includes(alg) && [kid, typ].every((text) => typeof text === "string"));
    const key = await this.key({ alg, kid });
    try {
      await jwtVerify(token, key, {
        algorithms: [alg], typ: "at+jwt", issuer: this.issuer, audience: this.audience,
        currentDate: new Date(now * 1000), clockTolerance: LEEWAY, requiredClaims: ["exp", "iat"],
      });
    } catch {
      unless(false);
    }
    unless(claims.aud === this.audience && wellFormed(claims) && claims.iat <= now + LEEWAY);
    return claims;
  }

  // By the published set: kept by jose, asked for once more for an unknown kid.
  async key(header) {
    try {
      return await this.keys(header);
    } catch (error) {
      unless(!(error instanceof errors.JWKSNoMatchingKey));
      throw new Refused(503, { code: "temporarily_unavailable" });
    }
  }
}

// `cnf` of a token that is bound to a certificate (RFC 8705, section 3.1).
function boundTo(certificate) {
  return { "x5t#S256": createHash("sha256").update(certificate).digest("base64url") };
}

// endregion check

// Whether each claim is there and is what the contract says.
function wellFormed(claims) {
  const numbers = ["iat", "exp", "dv", ...["nbf", "auth_time"].filter((name) => name in claims)];
  if (!numbers.every((name) => Number.isSafeInteger(claims[name]) && claims[name] >= 0)) return false;
  const { sub, jti, client_id: application, scope, act, acr = "", mandates } = claims;
  if (![jti, scope, acr].every((text) => typeof text === "string") || jti === "") return false;
  if (!isText(application, APPLICATION)) return false;
  // An application alone.
  if (sub === application) return !["act", "auth_time", "mandates"].some((name) => name in claims);
  const byApplication = isObject(act) && Object.keys(act).join() === "sub" && act.sub === application;
  const present = "act" in claims
    ? byApplication && acr === UNATTENDED && !("auth_time" in claims)
    : acr !== UNATTENDED && "auth_time" in claims;
  const shaped = Array.isArray(mandates) && mandates.every((group) => {
    const lists = isObject(group) && Array.isArray(group.clients) && Array.isArray(group.permissions);
    return lists && group.clients.length > 0 && group.permissions.every((name) => PERMISSIONS.has(name));
  });
  const clients = shaped ? mandates.flatMap((group) => group.clients) : [];
  const named = clients.length > 0 && clients.every((client) => isText(client, PARTY));
  return present && isText(sub, PARTY) && named && new Set(clients).size === clients.length;
}

function isText(value, pattern) {
  return typeof value === "string" && pattern.test(value);
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCanonical(part) {
  return Buffer.from(part, "base64url").toString("base64url") === part;
}

// One JSON object that names no member twice, at no depth: JSON.parse alone would keep the last one.
function strictObject(part) {
  let value;
  const open = [];
  try {
    const bytes = Buffer.from(part, "base64url");
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
    for (const [piece, name, colon] of text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}]/g)) {
      if (piece === "{") open.push(new Set());
      else if (piece === "}") open.pop();
      else if (colon) {
        unless(!open.at(-1).has(JSON.parse(name)));
        open.at(-1).add(JSON.parse(name));
      }
    }
  } catch {
    unless(false);
  }
  unless(isObject(value));
  return value;
}

function bearerToken(query, authorizations) {
  const malformed = { code: "invalid_request", error: "invalid_request" };
  if (query.has("access_token") || authorizations.length > 1) throw new Refused(400, malformed);
  if (authorizations.length === 0 || !BEARER.test(authorizations[0])) throw new Refused(401);
  const credentials = CREDENTIALS.exec(authorizations[0]);
  if (!credentials) throw new Refused(400, malformed);
  return credentials[1];
}

// region introspection
// Asks the server whether a token is still active. Whatever is not a plain answer is a 503.
export function introspection({ endpoint, resourceId, resourceSecret, timeout = 2_000 }) {
  // RFC 6749, section 2.3.1: both are form-encoded first.
  const encoded = (text) => new URLSearchParams([["", text]]).toString().slice(1);
  const pair = Buffer.from(`${encoded(resourceId)}:${encoded(resourceSecret)}`).toString("base64");
  return async (token) => {
    let active;
    try {
      const response = await fetch(endpoint, {
        method: "POST", headers: { Authorization: `Basic ${pair}` }, body: new URLSearchParams({ token }),
        redirect: "error", signal: AbortSignal.timeout(timeout),
      });
      if (response.status === 200) ({ active } = await response.json());
    } catch {
      active = undefined;
    }
    if (typeof active !== "boolean") throw new Refused(503, { code: "temporarily_unavailable" });
    return active;
  };
}
// endregion introspection

// region handler
// Two routes. Each says which permission it needs; null is authority to read.
const routes = {
  "GET /accounts": {
    permission: null,
    handler: (acting) => ({ accounts_of: acting.client, read_by: acting.contact }),
  },
  "POST /trades": {
    permission: "can_trade",
    handler: (acting) => ({ traded_for: acting.client, by: acting.contact, through: acting.application }),
  },
};

// For http.createServer. `guard` is
// new Guard({ issuer, audience, keys: createRemoteJWKSet(new URL(`${issuer}/jwks`), { cacheMaxAge: 300_000 }) }).
export function api(guard) {
  return async (request, response) => {
    const route = routes[`${request.method} ${request.url.split("?", 1)[0]}`];
    if (!route) return response.writeHead(404).end();
    // `request.headers` hides a second Authorization.
    const raw = request.rawHeaders;
    const headers = raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1]]] : []));
    try {
      // Only where this server itself ends the TLS and asks for certificates: `requestCert: true`.
      const certificate = request.socket.getPeerCertificate?.()?.raw;
      const options = { now: Date.now() / 1000, permission: route.permission, certificate };
      const acting = await guard.check(request.url, headers, options);
      const body = JSON.stringify(route.handler(acting));
      return response.writeHead(200, { "Content-Type": "application/json" }).end(body);
    } catch (error) {
      if (!(error instanceof Refused)) return response.writeHead(500).end();
      const { status, headers, body } = error.answer(guard.audience);
      return response.writeHead(status, headers).end(body);
    }
  };
}
// endregion handler
