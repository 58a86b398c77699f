// A partner's program with what Node.js brings (https) and `jose`: contact tokens by mutual TLS and by assertion.
//
// Usage: node partner.mjs DEMO, where DEMO holds the line that `procura demo --tls --json` prints. The last line
// says how much was checked; the first thing that is not right ends the program.

import { createHash, createPrivateKey, randomBytes, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { isDeepStrictEqual } from "node:util";
import { createLocalJWKSet, decodeJwt, jwtVerify, SignJWT } from "jose";

const TIMEOUT = 20_000;
const ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

let checks = 0;

async function main() {
  if (process.argv.length !== 3) throw new Error("usage: node partner.mjs DEMO");
  const demo = JSON.parse(await readFile(process.argv[2], "utf8"));
  const stranger = await agent(demo);
  const jwks = await send(stranger, `${demo.base_url}/jwks`);
  const keys = createLocalJWKSet(JSON.parse(jwks.body));
  await byCertificate(demo, keys, stranger);
  if (demo.private_key_jwt) await byAssertion(demo, keys, stranger);
  else console.log("skipped assertions: the demo has no application that signs");
  console.log(`${checks} checks passed`);
}

// region mutual_tls
// Connections that show a certificate to a server that asks for one.
async function agent({ ca_file: ca }, { certificate_file: certificate, key_file: key } = {}) {
  const shown = certificate ? { cert: await readFile(certificate), key: await readFile(key) } : {};
  return new Agent({ keepAlive: true, ca: await readFile(ca), ...shown });
}

// The certificate of the connection is the proof; the form says whose it should be.
function tokenByCertificate(agent, baseUrl, application, contact) {
  return send(agent, `${baseUrl}/token/${contact}`, { form: { client_id: application } });
}
// endregion mutual_tls

// Status, headers and body. A form makes it a POST.
function send(agent, url, { form, headers = {} } = {}) {
  const body = form && new URLSearchParams(form).toString();
  const type = body ? { "Content-Type": "application/x-www-form-urlencoded" } : {};
  const options = { agent, timeout: TIMEOUT, method: body ? "POST" : "GET", headers: { ...type, ...headers } };
  return new Promise((resolve, reject) => {
    const sent = request(url, options, (response) => {
      const pieces = [];
      response.on("data", (piece) => pieces.push(piece));
      response.on("end", () => {
        const { statusCode: status, headers } = response;
        resolve({ status, headers, body: Buffer.concat(pieces).toString() });
      });
    });
    sent.on("timeout", () => sent.destroy(new Error("no answer in time")));
    sent.on("error", reject);
    sent.end(body);
  });
}

async function byCertificate(demo, keys, stranger) {
  const { base_url: base, mtls } = demo;
  const { application_id: application, contact_id: contact } = mtls;
  const partner = await agent(demo, mtls);
  for (let time = 0; time < 2; time += 1) {
    const answer = await tokenByCertificate(partner, base, application, contact);
    equal(answer.status, 200, `status by certificate: ${answer.body}`);
    await verify(demo, keys, JSON.parse(answer.body), application, contact);
    const { raw } = new X509Certificate(await readFile(mtls.certificate_file));
    const thumbprint = createHash("sha256").update(raw).digest("base64url");
    equal(confirmation(answer), { "x5t#S256": thumbprint }, "cnf");
  }
  const list = await send(partner, `${base}/info/available-contacts?client_id=${application}`);
  equal(list.status, 200, "status of the list by certificate");
  check(JSON.parse(list.body).data.includes(contact), "the contact is in the list");

  const answer = await tokenByCertificate(partner, base, application, contact);
  const headers = { Authorization: `Bearer ${JSON.parse(answer.body).access_token}` };
  equal((await send(partner, `${base}/clients`, { headers })).status, 200, "the own API");
  const stolen = await send(stranger, `${base}/clients`, { headers });
  equal([stolen.status, stolen.body], [401, ""], "a stolen token without the certificate");
  check(stolen.headers["www-authenticate"].includes('error="invalid_token"'), "the challenge to a stolen token");
  for (const somebody of [application, "app_nobody"]) {
    const { status, body } = await tokenByCertificate(stranger, base, somebody, contact);
    equal([status, body], [496, ""], `no certificate, as ${somebody}`);
  }
  const other = await tokenByCertificate(partner, base, "app_nobody", contact);
  equal([other.status, JSON.parse(other.body).error], [495, "invalid_client"], "another's name");
}

// region assertion
// A JWT for one request: it is good for a minute, and once.
function assertion(key, kid, application, audience) {
  return new SignJWT({})
    .setProtectedHeader({ alg: "ES256", typ: "client-authentication+jwt", ...(kid && { kid }) })
    .setIssuer(application).setSubject(application).setAudience(audience)
    .setIssuedAt().setExpirationTime("60s").setJti(randomBytes(16).toString("base64url"))
    .sign(key);
}

function formOf(application, signed) {
  return { client_id: application, client_assertion_type: ASSERTION_TYPE, client_assertion: signed };
}
// endregion assertion

async function byAssertion(demo, keys, partner) {
  const { application_id: application, contact_id: contact, key_file: file, kid } = demo.private_key_jwt;
  const key = createPrivateKey(await readFile(file));
  const url = `${demo.base_url}/token/${contact}`;
  const ask = (signed) => send(partner, url, { form: formOf(application, signed) });
  const signed = await assertion(key, kid, application, demo.issuer);
  const answer = await ask(signed);
  equal(answer.status, 200, `status by assertion: ${answer.body}`);
  await verify(demo, keys, JSON.parse(answer.body), application, contact);
  equal(confirmation(answer), undefined, "no cnf without a certificate");
  refused(await ask(signed), "the same assertion again");
  refused(await ask(await assertion(key, kid, application, "https://other.example")), "another audience");
  const fresh = await assertion(key, kid, application, demo.issuer);
  const query = new URLSearchParams(formOf(application, fresh));
  const list = await send(partner, `${demo.base_url}/info/available-contacts?${query}`);
  equal(list.status, 200, "status of the list by assertion");
}

function refused({ status, body }, what) {
  equal([status, JSON.parse(body).error], [401, "invalid_client"], what);
}

async function verify(demo, keys, answer, application, contact) {
  const { payload } = await jwtVerify(answer.id_token, keys, { issuer: demo.issuer, audience: application });
  equal([payload.sub, payload.act], [contact, { sub: application }], "who acts for whom");
  check(payload.clients.length > 0 && !("cnf" in payload), "clients, and no cnf in an ID token");
}

function confirmation({ body }) {
  return decodeJwt(JSON.parse(body).access_token).cnf;
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
