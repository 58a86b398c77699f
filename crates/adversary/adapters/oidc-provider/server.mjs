// oidc-provider with its own client credentials grant, opaque tokens for one of two resources, DPoP, introspection and
// revocation, configured as its documentation says. It prints what the adapter needs and serves until standard input
// ends.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Provider, errors } from 'oidc-provider';

const DEFAULT = 'https://api.example';
const SECOND = 'https://second.example';
const SCOPE = 'can_manage_payments can_trade';

const folder = mkdtempSync(join(tmpdir(), 'adversary-oidc-provider-'));
const told = { folder };

function keys(name) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const file = join(folder, `${name}.key`);
  writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const { kty, crv, x, y, d } = privateKey.export({ format: 'jwk' });
  return { public: { kty, crv, x, y, kid: name, use: 'sig', alg: 'ES256' }, d };
}

function client(name, method, more = {}) {
  const made = {
    client_id: name,
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
    token_endpoint_auth_method: method,
    scope: SCOPE,
    id_token_signed_response_alg: 'ES256',
    ...more,
  };
  if (method === 'private_key_jwt') {
    made.jwks = { keys: [keys(name).public] };
    made.token_endpoint_auth_signing_alg = 'ES256';
  } else {
    made.client_secret = randomBytes(32).toString('base64url');
    told[`${name}-secret`] = made.client_secret;
  }
  return made;
}

const configuration = {
  clients: [
    client('app-main', 'client_secret_basic'),
    client('app-signing', 'private_key_jwt'),
    client('app-dpop', 'client_secret_basic', { dpop_bound_access_tokens: true }),
    client('app-other', 'client_secret_basic'),
  ],
  jwks: { keys: [] },
  scopes: SCOPE.split(' '),
  responseTypes: ['code'],
  clientAuthMethods: ['client_secret_basic', 'private_key_jwt'],
  ttl: { ClientCredentials: 600 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: (ctx, asking, token) => asking.clientId === token.clientId },
    revocation: { enabled: true, allowedPolicy: (ctx, asking, token) => asking.clientId === token.clientId },
    dPoP: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => DEFAULT,
      getResourceServerInfo(ctx, resource) {
        if (resource !== DEFAULT && resource !== SECOND) throw new errors.InvalidTarget();
        return { scope: SCOPE, audience: resource, accessTokenFormat: 'opaque', accessTokenTTL: 600 };
      },
    },
  },
};

const { public: signing, d } = keys('server');
configuration.jwks.keys.push({ ...signing, d });

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  told.issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(told.issuer, configuration);
  server.on('request', provider.callback());
  process.stdout.write(`${JSON.stringify(told)}\n`);
});

process.stdin.resume();
process.stdin.on('end', () => {
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
});
