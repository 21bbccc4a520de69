// A real OpenID Provider for the tests: node-oidc-provider with one client, on loopback.
//
//   node server.mjs PORT CLIENT SECRET REDIRECT ALGORITHM CLAIMS
//
// Whoever signs in as `name` is in the groups that a name with dots says: `kim.ops.night` is in `ops` and `night`. CLAIMS is
// `token` when groups stand in the ID token, `userinfo` when they are told to who asks.
import * as oidc from 'oidc-provider';
import { generateKeyPairSync } from 'node:crypto';

const [port, client_id, client_secret, redirect, algorithm, claims] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const { privateKey } = algorithm === 'ES256'
  ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
  : generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = { ...privateKey.export({ format: 'jwk' }), kid: 'tests', use: 'sig', alg: algorithm };
const Provider = oidc.Provider ?? oidc.default;

const provider = new Provider(issuer, {
  clients: [{
    client_id,
    client_secret,
    redirect_uris: [redirect],
    grant_types: ['authorization_code'],
    response_types: ['code'],
    id_token_signed_response_alg: algorithm,
  }],
  jwks: { keys: [key] },
  cookies: { keys: ['tests'] },
  claims: { openid: ['sub'], email: ['email'], profile: ['name'], groups: ['groups'] },
  scopes: ['openid', 'email', 'profile', 'groups'],
  conformIdTokenClaims: claims !== 'token',
  pkce: { required: () => true },
  async findAccount(_, sub) {
    const [name, ...groups] = sub.split('.');
    return {
      accountId: sub,
      async claims() {
        return { sub, email: `${name}@example.com`, name, groups };
      },
    };
  },
});
provider.listen(Number(port), '127.0.0.1', () => console.log(`provider at ${issuer}`));
