// A partner's program on `openid-client`, which nobody here wrote: contact tokens by the JWT bearer grant and by token
// exchange, with private_key_jwt and DPoP, and with mutual TLS; and their use.
//
// Usage: node stock.mjs DEMO API, where DEMO holds the line that `procura demo --tls --json` prints and API is where
// examples/payments listens. The last line says how much was checked; the first thing that is not right ends the
// program.

// region openid_client_imports
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { decodeJwt, importPKCS8, SignJWT } from "jose";
import * as client from "openid-client";
import { Agent, fetch } from "undici";

const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT = "urn:ietf:params:oauth:token-type:jwt";
// endregion openid_client_imports
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";

let checks = 0;

async function main() {
  if (process.argv.length !== 4) throw new Error("usage: node stock.mjs DEMO API");
  const demo = JSON.parse(await readFile(process.argv[2], "utf8"));
  const api = process.argv[3];
  await byKey(demo, api);
  await byCertificate(demo);
  console.log(`${checks} checks passed`);
}

// region openid_client_setup
// What a partner is told: the issuer, its own application, and how that proves itself. The rest is discovered.
async function discover(issuer, application, authentication, agent) {
  const fetched = (url, options) => fetch(url, { ...options, dispatcher: agent });
  const metadata = { use_mtls_endpoint_aliases: true, id_token_signed_response_alg: "ES256" };
  const options = { algorithm: "oauth2", [client.customFetch]: fetched };
  const config = await client.discovery(new URL(issuer), application, metadata, authentication, options);
  client.enableNonRepudiationChecks(config); // ID tokens: their signature too, by the published keys.
  return config;
}
// endregion openid_client_setup

// region openid_client_grant
// A JWT that asks for one contact. It is good for a minute, and once.
function grant(key, issuer, application, contact) {
  return new SignJWT({})
    .setProtectedHeader({ alg: "ES256", typ: "authorization-grant+jwt" })
    .setIssuer(application).setSubject(contact).setAudience(issuer)
    .setIssuedAt().setExpirationTime("60s").setJti(randomUUID())
    .sign(key);
}

// The library verifies the ID token that comes with it.
function tokenByAssertion(config, assertion, more, options) {
  return client.genericGrantRequest(config, JWT_BEARER, { assertion, ...more }, options);
}

// An ID token comes here when `openid` asks for it.
function tokenByExchange(config, assertion, more, options) {
  const exchanged = { subject_token: assertion, subject_token_type: JWT, scope: "openid", ...more };
  return client.genericGrantRequest(config, TOKEN_EXCHANGE, exchanged, options);
}
// endregion openid_client_grant

async function byKey(demo, api) {
  const { application_id: application, contact_id: contact, key_file: file } = demo.fapi2;
  const resource = demo.payments_resource_id;
  const agent = new Agent({ connect: { ca: await readFile(demo.ca_file) } });
  // region openid_client_dpop
  const key = await importPKCS8(await readFile(file, "utf8"), "ES256");
  const config = await discover(demo.issuer, application, client.PrivateKeyJwt(key), agent);
  // Every token is bound to this key. It may be new whenever the program starts.
  const keys = await client.randomDPoPKeyPair("ES256");
  const DPoP = client.getDPoPHandle(config, keys);
  const assertion = await grant(key, demo.issuer, application, contact);
  const tokens = await tokenByAssertion(config, assertion, { resource }, { DPoP });
  // endregion openid_client_dpop
  isForContact(tokens, demo, application, contact, resource);
  equal(tokens.token_type, "dpop", "token_type"); // The library writes it small.
  isBound(tokens, ["jkt"]);

  const again = tokenByAssertion(config, assertion, { resource }, { DPoP });
  await refused(again, 400, "invalid_grant", "the same assertion again");
  const exchangedAgain = tokenByExchange(config, assertion, { resource }, { DPoP });
  await refused(exchangedAgain, 400, "invalid_grant", "the same assertion exchanged");
  const nobody = tokenByAssertion(config, await grant(key, demo.issuer, application, "CON3002"), {}, { DPoP });
  await refused(nobody, 400, "invalid_grant", "a contact that nobody gave a mandate");
  const unbound = tokenByAssertion(config, await grant(key, demo.issuer, application, contact), {});
  await refused(unbound, 400, "invalid_dpop_proof", "no proof");
  const stranger = tokenByAssertion(config, await grant(keys.privateKey, demo.issuer, application, contact), {}, { DPoP });
  await refused(stranger, 400, "invalid_grant", "an assertion that a key signed which nobody registered");

  const exchanged = await tokenByExchange(
    config, await grant(key, demo.issuer, application, contact), { resource }, { DPoP },
  );
  isForContact(exchanged, demo, application, contact, resource);
  equal(exchanged.issued_token_type, ACCESS_TOKEN, "issued_token_type");
  isBound(exchanged, ["jkt"]);
  const narrow = { scope: "openid can_trade", clients: "CLI1001" };
  const narrowed = await tokenByExchange(
    config, await grant(key, demo.issuer, application, contact), narrow, { DPoP },
  );
  equal(narrowed.scope, "openid can_trade", "scope of a narrowed token");

  // The library itself asks again with the nonce of the answer.
  const late = client.getDPoPHandle(config, keys, staleAtFirst());
  const anew = await tokenByAssertion(config, await grant(key, demo.issuer, application, contact), {}, { DPoP: late });
  isBound(anew, ["jkt"]);

  // region openid_client_own
  const own = await client.clientCredentialsGrant(config, {}, { DPoP });
  // endregion openid_client_own
  const { sub, act, mandates } = decodeJwt(own.access_token);
  equal([sub, act, mandates, own.id_token], [application, undefined, undefined, undefined], "the own token");
  isBound(own, ["jkt"]);
  await atApi(config, tokens, keys, api);
}

async function atApi(config, tokens, keys, api) {
  const [contactsClient] = tokens.claims().clients;
  const url = new URL(`${api}/payments?client_id=${contactsClient.client_id}`);
  client.allowInsecureRequests(config); // The example is on loopback, without TLS.
  // region openid_client_use
  // Another handle, for another server: each keeps that one's nonces.
  const DPoP = client.getDPoPHandle(config, keys);
  const answer = await client.fetchProtectedResource(
    config, tokens.access_token, url, "GET", undefined, undefined, { DPoP },
  );
  // endregion openid_client_use
  equal(answer.status, 200, "status at the API");
  const late = client.getDPoPHandle(config, keys, staleAtFirst());
  const anew = await client.fetchProtectedResource(
    config, tokens.access_token, url, "GET", undefined, undefined, { DPoP: late },
  );
  equal(anew.status, 200, "status with the nonce that the API asked for");
  const stolen = await fetch(url, { headers: { authorization: `Bearer ${tokens.access_token}` } });
  equal([stolen.status, await stolen.text()], [401, ""], "the token without a proof, as Bearer");
  const named = await fetch(url, { headers: { authorization: `DPoP ${tokens.access_token}` } });
  equal([named.status, await named.text()], [401, ""], "the token without a proof");
  check(named.headers.get("www-authenticate").startsWith("DPoP "), "the challenge asks for a proof");
  const thief = client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"));
  const other = client.fetchProtectedResource(
    config, tokens.access_token, url, "GET", undefined, undefined, { DPoP: thief },
  );
  equal(await statusOf(other), 401, "the token with a proof of another key");
}

// Proofs whose nonce is none of the server's until it has said which is, as after a restart.
function staleAtFirst() {
  return { [client.modifyAssertion]: (_header, payload) => { payload.nonce ??= "stale"; } };
}

async function byCertificate(demo) {
  const { application_id: application, contact_id: contact } = demo.fapi2_mtls;
  const key = await importPKCS8(await readFile(demo.grant_key_file, "utf8"), "ES256");
  const { ca_file: caFile, fapi2_mtls: { certificate_file: certificateFile, key_file: keyFile } } = demo;
  // region openid_client_mutual_tls
  const [ca, cert, certKey] = await Promise.all([caFile, certificateFile, keyFile].map((file) => readFile(file)));
  const agent = new Agent({ connect: { ca, cert, key: certKey } });
  const config = await discover(demo.issuer, application, client.TlsClientAuth(), agent);
  const assertion = await grant(key, demo.issuer, application, contact);
  const tokens = await tokenByAssertion(config, assertion);
  // endregion openid_client_mutual_tls
  isForContact(tokens, demo, application, contact, demo.resource_id);
  equal(tokens.token_type, "bearer", "token_type");
  isBound(tokens, ["x5t#S256"]);
  await refused(tokenByAssertion(config, assertion), 400, "invalid_grant", "the same assertion again");
  const exchanged = await tokenByExchange(config, await grant(key, demo.issuer, application, contact));
  isForContact(exchanged, demo, application, contact, demo.resource_id);
  isBound(exchanged, ["x5t#S256"]);
  const own = await client.clientCredentialsGrant(config);
  equal(decodeJwt(own.access_token).sub, application, "sub of the own token");

  const url = new URL(`${demo.base_url}/clients`);
  const answer = await client.fetchProtectedResource(config, tokens.access_token, url, "GET");
  equal(answer.status, 200, "status at the own API");
  const stranger = new Agent({ connect: { ca } });
  const headers = { authorization: `Bearer ${tokens.access_token}` };
  const stolen = await fetch(url, { headers, dispatcher: stranger });
  equal([stolen.status, await stolen.text()], [401, ""], "the token without the certificate");
  const strangers = await discover(demo.issuer, application, client.TlsClientAuth(), stranger);
  const asked = tokenByAssertion(strangers, await grant(key, demo.issuer, application, contact));
  await refused(asked, 401, "invalid_client", "a grant without the certificate");
}

function isForContact(tokens, demo, application, contact, resource) {
  const { sub, act, aud, scope } = decodeJwt(tokens.access_token);
  equal([sub, act, aud], [contact, { sub: application }, resource], "who acts for whom, and where");
  equal(tokens.scope, scope, "scope");
  equal(typeof tokens.expires_in, "number", "type of expires_in");
  equal("refresh_token" in tokens, false, "a refresh token");
  const { iss, aud: audience, sub: subject, clients } = tokens.claims();
  equal([iss, audience, subject], [demo.issuer, application, contact], "the ID token, verified by the library");
  equal(clients.length, 1, "clients");
}

function isBound(tokens, names) {
  equal(Object.keys(decodeJwt(tokens.access_token).cnf), names, "cnf");
}

async function refused(asked, status, error, what) {
  const told = await asked.then(() => "a token", (thrown) => thrown);
  // Of an answer with a challenge, as each 401 is, the library shows the challenge; the error is in the answer.
  const named = told.error ?? (await told.response?.json())?.error ?? `${told}`;
  equal([told.status, named], [status, error], what);
}

// The library throws what is answered with a challenge.
function statusOf(asked) {
  return asked.then(({ status }) => status, (thrown) => thrown.response?.status ?? `${thrown}`);
}

function equal(seen, wanted, what) {
  check(isDeepStrictEqual(seen, wanted), `${what}: ${JSON.stringify(seen)}, not ${JSON.stringify(wanted)}`);
}

function check(holds, what) {
  if (!holds) {
    console.log(`FAILED: ${what}`);
    process.exit(1);
  }
  checks += 1;
}

await main();
process.exit(0);
