// Verifies every token of a running demo with `jose`.
//
// Usage: node verify.mjs FILE, where FILE holds the line that `procura demo --json` prints. Asks for a
// contact token for every contact it names, checks both tokens against the published keys and against
// what docs/contract.md says of them, and holds the refusals against each other. The last line says how
// much was checked; the first thing that is not right ends the program.

import { readFile } from "node:fs/promises";
import { webcrypto } from "node:crypto";
import { isDeepStrictEqual } from "node:util";

// Node.js 18 has it, but not under this name.
globalThis.crypto ??= webcrypto;
const { createLocalJWKSet, decodeProtectedHeader, errors, jwtVerify } = await import("jose");

const LIFETIME = 3600;
const UNATTENDED = "urn:procura:acr:unattended";
const OF_A_PERSONS_LOGIN = ["nonce", "auth_time", "amr", "sid"];
// They differ from one refusal to the next, and say nothing about the reason.
const OF_ONE_ANSWER = ["date", "procura-reference"];
const ALGORITHMS = ["ES256", "RS256", "PS256", "EdDSA"];

let checks = 0;

async function main() {
  if (process.argv.length !== 3) {
    throw new Error("usage: node verify.mjs FILE");
  }
  const demo = JSON.parse(await readFile(process.argv[2], "utf8"));
  const keys = await publishedKeys(demo);
  check(demo.contacts.length > 0, "the demo names contacts");
  check(demo.refused_contacts.length >= 6, "the demo names six ways to be refused");
  for (const contact of demo.contacts) {
    await verifyContact(demo, keys, contact);
  }
  await verifyRefusals(demo);
  await verifyAvailable(demo);
  console.log(`${checks} checks passed`);
}

async function publishedKeys(demo) {
  const metadata = await get(demo, "/.well-known/oauth-authorization-server");
  equal(JSON.parse(metadata.body).issuer, demo.issuer, "issuer of the metadata");
  const jwks = await get(demo, "/jwks");
  equal(jwks.status, 200, "status of the JWKS");
  return createLocalJWKSet(JSON.parse(jwks.body));
}

async function verifyContact(demo, keys, contact) {
  const answer = await ask(demo, contact.contact_id);
  equal(answer.status, 200, `status for ${contact.contact_id}: ${answer.body}`);
  equal(answer.headers["cache-control"], "no-store", "Cache-Control");
  const fields = JSON.parse(answer.body);
  const names = ["access_token", "expires_in", "id_token", "token_type"];
  equal(Object.keys(fields).sort(), names, "fields of the answer");
  equal(fields.expires_in, String(LIFETIME), "expires_in, a string");
  equal(fields.token_type, "Bearer", "token_type");

  const idToken = await verifyToken(demo, keys, fields.id_token, demo.application_id, {});
  const accessToken = await verifyToken(demo, keys, fields.access_token, demo.resource_id, { typ: "at+jwt" });
  verifyCommon(demo, contact, idToken, accessToken);
  verifyIdToken(contact, fields.id_token, idToken);
  verifyAccessToken(demo, contact, accessToken);
  await refusedElsewhere(demo, keys, fields);
}

// What `jose` makes of it: signature, issuer, audience, times, type.
async function verifyToken(demo, keys, token, audience, expected) {
  const requiredClaims = ["iss", "sub", "aud", "iat", "exp", "jti"];
  const options = { issuer: demo.issuer, audience, algorithms: ALGORITHMS, requiredClaims, ...expected };
  const { payload } = await jwtVerify(token, keys, options);
  equal(payload.aud, audience, "aud, one string");
  return payload;
}

function verifyCommon(demo, contact, idToken, accessToken) {
  for (const claims of [idToken, accessToken]) {
    equal(claims.sub, contact.contact_id, "sub");
    equal(claims.act, { sub: demo.application_id }, "act");
    equal(claims.acr, UNATTENDED, "acr");
    check(Number.isInteger(claims.iat) && Number.isInteger(claims.exp), "iat and exp are whole numbers");
    equal(claims.exp - claims.iat, LIFETIME, "exp - iat");
    for (const name of OF_A_PERSONS_LOGIN) {
      check(!(name in claims), `no ${name}`);
    }
  }
  check(idToken.jti !== accessToken.jti, "the two tokens have ids of their own");
}

function verifyIdToken(contact, token, claims) {
  check(decodeProtectedHeader(token).typ !== "at+jwt", "the ID token is no access token");
  const named = claims.clients.map((client) => client.client_id);
  equal(named, [...contact.clients].sort(), "clients of the ID token, in order");
  for (const client of claims.clients) {
    equal(Object.keys(client).sort(), ["client_id", "client_name"], "fields of a client");
    check(client.client_name !== "", "a client has a name");
  }
}

function verifyAccessToken(demo, contact, claims) {
  equal(claims.client_id, demo.application_id, "client_id of the access token");
  check(Number.isInteger(claims.dv), "dv is a whole number");
  const everyone = claims.mandates.flatMap((group) => group.clients);
  equal(everyone.sort(), [...contact.clients].sort(), "clients of the access token, each once");
  for (const group of claims.mandates) {
    equal(group.permissions, [...group.permissions].sort(), "permissions of a group, in order");
  }
  const held = claims.mandates.map((group) => group.permissions);
  const heldByAll = held[0].filter((name) => held.every((names) => names.includes(name)));
  equal(claims.scope, ["openid", ...[...heldByAll].sort()].join(" "), "scope");
}

// The checks above can fail: the same library refuses what was tampered with or misplaced.
async function refusedElsewhere(demo, keys, fields) {
  const [header, payload, signature] = fields.access_token.split(".");
  const other = JSON.parse(Buffer.from(payload, "base64url"));
  other.sub = "somebody-else";
  const forged = [header, Buffer.from(JSON.stringify(other)).toString("base64url"), signature].join(".");
  const { JWSSignatureVerificationFailed, JWTClaimValidationFailed } = errors;
  const at = { typ: "at+jwt" };
  await refuses(demo, keys, forged, demo.resource_id, at, JWSSignatureVerificationFailed);
  await refuses(demo, keys, fields.access_token, demo.application_id, at, JWTClaimValidationFailed);
  await refuses(demo, keys, fields.id_token, demo.application_id, at, JWTClaimValidationFailed);
}

async function refuses(demo, keys, token, audience, expected, wanted) {
  let seen;
  try {
    await verifyToken(demo, keys, token, audience, expected);
  } catch (error) {
    seen = error;
  }
  check(seen instanceof wanted, `a token that ought to raise ${wanted.name} raises ${seen?.name}`);
}

// One answer for every reason: status, headers but date and reference, and every byte of the body.
async function verifyRefusals(demo) {
  let first;
  for (const refused of demo.refused_contacts) {
    const answer = await ask(demo, refused.contact_id);
    first ??= answer;
    equal(answer.status, 400, `status when ${refused.why}`);
    equal(answer.body, first.body, `body when ${refused.why}`);
    equal(comparable(answer.headers), comparable(first.headers), `headers when ${refused.why}`);
  }
  equal(JSON.parse(first.body).error, "invalid_grant", "error of a refusal");
}

async function verifyAvailable(demo) {
  const answer = await get(demo, "/info/available-contacts", demo.application_secret);
  equal(answer.status, 200, "status of the available contacts");
  const available = JSON.parse(answer.body).data;
  for (const contact of demo.contacts) {
    check(available.includes(contact.contact_id), "a contact with a token is available");
  }
  for (const refused of demo.refused_contacts) {
    check(!available.includes(refused.contact_id), "a refused contact is not available");
  }
}

function ask(demo, contactId) {
  return send(demo, "POST", `/token/${encodeURIComponent(contactId)}`, demo.application_secret);
}

function get(demo, path, secret) {
  return send(demo, "GET", path, secret);
}

async function send(demo, method, path, secret) {
  const headers = secret === undefined ? {} : { authorization: basic(demo.application_id, secret) };
  const signal = AbortSignal.timeout(20_000);
  const response = await fetch(demo.base_url + path, { method, headers, redirect: "error", signal });
  return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
}

function basic(applicationId, secret) {
  // RFC 6749, section 2.3.1: both are form-encoded first.
  const encoded = (text) => new URLSearchParams([["", text]]).toString().slice(1);
  return `Basic ${Buffer.from(`${encoded(applicationId)}:${encoded(secret)}`).toString("base64")}`;
}

function comparable(headers) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !OF_ONE_ANSWER.includes(name)));
}

function equal(seen, wanted, what) {
  const told = `${what}: ${JSON.stringify(seen)}, not ${JSON.stringify(wanted)}`;
  check(isDeepStrictEqual(seen, wanted), told);
}

function check(holds, what) {
  if (!holds) {
    throw new Error(`FAILED: ${what}`);
  }
  checks += 1;
}

await main();
