// Runs the shared vectors through protect.mjs, then protects a small API of its own behind a running demo.
//
// Usage: node check-protect.mjs VECTORS DEMO, where VECTORS is tests/vectors/guard.json and DEMO holds the
// line that `procura demo --json` prints. The last line says how much was checked; the first thing that is
// not right ends the program.

import { readFile } from "node:fs/promises";
import { createServer, request as httpRequest } from "node:http";
import { isDeepStrictEqual } from "node:util";
import { createRemoteJWKSet, customFetch } from "jose";
import { api, Guard, introspection, Refused } from "./protect.mjs";

let checks = 0;

async function main() {
  if (process.argv.length !== 4) {
    throw new Error("usage: node check-protect.mjs VECTORS DEMO");
  }
  const files = process.argv.slice(2).map((name) => readFile(name, "utf8"));
  const [vectors, demo] = (await Promise.all(files)).map((text) => JSON.parse(text));
  await runVectors(vectors);
  await keysAreKept(vectors);
  await runDemo(demo);
  console.log(`${checks} checks passed`);
}

// The key set of the vectors, and how often it was asked for.
function published(jwks) {
  const seen = { asked: 0 };
  const fetched = async () => {
    seen.asked += 1;
    if (!jwks) throw new TypeError("unreachable");
    return new Response(JSON.stringify(jwks));
  };
  const options = { [customFetch]: fetched, cooldownDuration: 100 };
  return { seen, keys: createRemoteJWKSet(new URL("http://127.0.0.1/jwks"), options) };
}

function guardOf(vectors, keys) {
  return new Guard({ issuer: vectors.issuer, audience: vectors.audience, keys });
}

async function runVectors(vectors) {
  const guard = guardOf(vectors, published(vectors.jwks).keys);
  const marked = vectors.cases.filter(({ marks }) => marks.length > 0).map(({ name }) => name);
  console.log(`skipped, for want of a view of marks: ${marked.join(", ")}`);
  for (const one of vectors.cases.filter(({ marks }) => marks.length === 0)) {
    equal(await outcome(guard, vectors, one), one.answer, one.name);
  }
  check(vectors.cases.length - marked.length >= 150, "at least 150 cases ran");
}

// A case's answer in the vectors' form.
async function outcome(guard, vectors, { token, request, route }) {
  const filled = (text) => text.replaceAll("{token}", () => token ?? "");
  const headers = request.headers.map(([name, value]) => [name, filled(value)]);
  const held = vectors.certificates[request.certificate]?.der;
  const certificate = held && Buffer.from(held, "base64");
  try {
    const acting = await guard.check(filled(request.target), headers, { now: vectors.now, certificate, ...route });
    const told = { ...acting, permissions: [...acting.permissions].sort() };
    return { status: 200, error: null, code: null, acting: told };
  } catch (refused) {
    if (!(refused instanceof Refused)) throw refused;
    wellAnswered(refused, vectors.realm);
    return { status: refused.status, error: refused.error ?? null, code: refused.code ?? null, acting: null };
  }
}

function wellAnswered(refused, realm) {
  const { status, headers, body } = refused.answer(realm);
  equal(status === 401, body === "", "only a 401 has no body");
  equal(status === 503, "Retry-After" in headers, "only a 503 has Retry-After");
  const challenge = headers["WWW-Authenticate"] ?? "";
  equal(challenge.startsWith(`Bearer realm="${realm}"`), status === 401 || Boolean(refused.error), "the challenge");
  equal(challenge.includes(`error="${refused.error}"`), Boolean(refused.error), "the challenge's error");
  if (body !== "") {
    const message = JSON.parse(body);
    equal(Object.keys(message).sort(), ["code", "details", "message"], "members of an ErrorMessage");
    check(Object.values(message).every((value) => typeof value === "string"), "an ErrorMessage has three strings");
  }
}

// One fetch serves all; unknown kids ask once more and no more; without keys nobody gets in.
async function keysAreKept(vectors) {
  const good = vectors.cases.find(({ answer, marks }) => answer.status === 200 && marks.length === 0);
  const { seen, keys } = published(vectors.jwks);
  const guard = guardOf(vectors, keys);
  for (let time = 0; time < 3; time += 1) {
    equal((await outcome(guard, vectors, good)).status, 200, "status of a good token");
  }
  equal(seen.asked, 1, "fetches for three good tokens");
  const header = Buffer.from(JSON.stringify({ alg: "ES256", kid: "unknown", typ: "at+jwt" })).toString("base64url");
  const foreign = { ...good, token: [header, ...good.token.split(".").slice(1)].join(".") };
  while (keys.coolingDown) await new Promise((resolve) => setTimeout(resolve, 10));
  for (let time = 0; time < 3; time += 1) {
    equal((await outcome(guard, vectors, foreign)).status, 401, "status of an unknown kid");
  }
  equal(seen.asked, 2, "fetches after three unknown kids");
  const none = guardOf(vectors, published(undefined).keys);
  const cutOff = vectors.cut_off.filter(({ state }) => state === "keys_never_fetched");
  check(cutOff.length >= 2, "cases without keys");
  for (const one of cutOff) {
    equal(await outcome(none, vectors, one), one.answer, one.name);
  }
}

async function runDemo(demo) {
  const metadata = JSON.parse((await send(`${demo.base_url}/.well-known/oauth-authorization-server`)).body);
  const keys = createRemoteJWKSet(new URL(metadata.jwks_uri), { cacheMaxAge: 300_000 });
  const endpoint = metadata.introspection_endpoint;
  const asks = (resourceSecret) => introspection({ endpoint, resourceId: demo.resource_id, resourceSecret });
  const served = Boolean(endpoint && demo.resource_secret);
  const stillActive = served ? asks(demo.resource_secret) : undefined;
  const guard = new Guard({ issuer: demo.issuer, audience: demo.resource_id, keys, stillActive });
  const server = createServer(api(guard));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${server.address().port}`;
  for (const contact of demo.contacts) {
    await call(demo, base, contact);
  }
  await failsClosed(demo, base, guard);
  if (served) {
    await deadTokensAreRefused(demo, base, guard, metadata, asks(`pcs_${"A".repeat(43)}`));
  } else {
    console.log("skipped introspection: the server does not say that it serves it");
  }
  server.close();
  server.closeAllConnections?.();
}

async function call(demo, base, contact) {
  const tokens = await tokensFor(demo, contact);
  const claims = JSON.parse(Buffer.from(tokens.access_token.split(".")[1], "base64url"));
  for (const client of contact.clients) {
    const answer = await read(base, client, tokens.access_token);
    equal([answer.status, JSON.parse(answer.body).accounts_of], [200, client], "answer for the token's own client");
    const { permissions } = claims.mandates.find(({ clients }) => clients.includes(client));
    const url = `${base}/trades?client_id=${client}`;
    const wanted = permissions.includes("can_trade") ? 200 : 403;
    equal((await send(url, bearer(tokens.access_token), "")).status, wanted, "status of a trade");
  }
  const others = demo.contacts.flatMap(({ clients }) => clients).filter((client) => !contact.clients.includes(client));
  check(others.length > 0, "the demo has clients of others");
  for (const client of others) {
    const answer = await read(base, client, tokens.access_token);
    equal([answer.status, JSON.parse(answer.body).code], [403, "client_not_allowed"], "answer for another's client");
  }
  const [client] = contact.clients;
  const idToken = await read(base, client, tokens.id_token);
  equal([idToken.status, idToken.body], [401, ""], "answer to an ID token");
  check(idToken.headers["www-authenticate"].includes('error="invalid_token"'), "the challenge after an ID token");
  const without = await send(`${base}/accounts?client_id=${client}`);
  equal([without.status, without.body], [401, ""], "answer without a token");
  check(!without.headers["www-authenticate"].includes("error"), "the challenge without a token names no error");
  const token = tokens.access_token;
  const url = `${base}/accounts?client_id=${client}`;
  equal(await saidTwice(url, token), 400, "status of two Authorization headers");
  equal((await send(`${url}&client_id=${client}`, bearer(token))).status, 400, "status of a repeated client_id");
  equal((await send(`${url}&access_token=${token}`)).status, 400, "status of a token in the query");
}

// A server that can't be asked about a token is a 503, never a 200.
async function failsClosed(demo, base, guard) {
  const [contact] = demo.contacts;
  const { access_token: token } = await tokensFor(demo, contact);
  const before = guard.stillActive;
  const endpoint = `${demo.base_url}/nowhere`;
  guard.stillActive = introspection({ endpoint, resourceId: "resource", resourceSecret: "secret" });
  const answer = await read(base, contact.clients[0], token);
  equal([answer.status, answer.headers["retry-after"]], [503, "1"], "answer when the server can't be asked");
  guard.stillActive = async () => false;
  equal((await read(base, contact.clients[0], token)).status, 401, "status of a token that is not active");
  guard.stillActive = before;
}

async function deadTokensAreRefused(demo, base, guard, metadata, wrong) {
  const [contact] = demo.contacts;
  const [client] = contact.clients;
  const { access_token: token } = await tokensFor(demo, contact);
  const before = guard.stillActive;
  guard.stillActive = wrong;
  equal((await read(base, client, token)).status, 503, "status with a wrong secret of the resource");
  guard.stillActive = before;
  equal((await read(base, client, token)).status, 200, "status before the token is revoked");
  if (!metadata.revocation_endpoint) {
    console.log("skipped revocation: the server does not say that it serves it");
    return;
  }
  const headers = basic(demo.application_id, demo.application_secret);
  const revoked = await send(metadata.revocation_endpoint, headers, new URLSearchParams({ token }));
  equal(revoked.status, 200, "status of the revocation");
  equal((await read(base, client, token)).status, 401, "status after the token was revoked");
}

function saidTwice(url, token) {
  const headers = ["host", new URL(url).host, ...Array(2).fill(["authorization", `Bearer ${token}`]).flat()];
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { headers, agent: false, timeout: 20_000 }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode));
    });
    request.on("error", reject).on("timeout", () => request.destroy(new Error("no answer"))).end();
  });
}

async function tokensFor(demo, contact) {
  const headers = basic(demo.application_id, demo.application_secret);
  const answer = await send(`${demo.base_url}/token/${contact.contact_id}`, headers, "");
  equal(answer.status, 200, `status of a token: ${answer.body}`);
  return JSON.parse(answer.body);
}

function read(base, client, token) {
  return send(`${base}/accounts?client_id=${client}`, bearer(token));
}

function bearer(token) {
  return { authorization: `Bearer ${token}` };
}

function basic(user, secret) {
  const encoded = (text) => new URLSearchParams([["", text]]).toString().slice(1);
  return { authorization: `Basic ${Buffer.from(`${encoded(user)}:${encoded(secret)}`).toString("base64")}` };
}

// A body makes it a POST.
async function send(url, headers = {}, body = undefined) {
  const method = body === undefined ? "GET" : "POST";
  const type = body === "" ? { "content-type": "application/x-www-form-urlencoded" } : {};
  const signal = AbortSignal.timeout(20_000);
  const response = await fetch(url, { method, headers: { ...type, ...headers }, body, redirect: "error", signal });
  return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
}

function equal(seen, wanted, what) {
  check(isDeepStrictEqual(seen, wanted), `${what}: ${JSON.stringify(seen)}, not ${JSON.stringify(wanted)}`);
}

function check(holds, what) {
  if (!holds) {
    throw new Error(`FAILED: ${what}`);
  }
  checks += 1;
}

await main();
