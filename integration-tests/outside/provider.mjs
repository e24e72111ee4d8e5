// An OpenID provider that nobody here wrote, for people of the example to sign in at: the package oidc-provider.
//
// Whoever signs in as PERSON@AGENCY gets tokens of the agency that name the person, whatever the password.
//
// Call: node provider.mjs PORT BACK, where BACK is the address that people are sent back to.
// CAUSEWAY_TEST_NODE_MODULES names the directory of the packages. Prints its address once it answers.

import { generateKeyPairSync } from "node:crypto";
import { createRequire } from "node:module";
import path from "node:path";

const MODULES = "CAUSEWAY_TEST_NODE_MODULES";
const CLIENT = "causeway-dashboard";
const AUDIENCE = "causeway";
const RESOURCE = "https://causeway.example";
const TOKEN_SECONDS = Number(process.env.TOKEN_SECONDS ?? 3600);

const [port, back] = process.argv.slice(2);
const require = createRequire(path.join(path.resolve(process.env[MODULES]), "here.js"));
const { default: Provider } = await import(require.resolve("oidc-provider"));

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const key = { ...privateKey.export({ format: "jwk" }), kid: "provider-1", alg: "ES256", use: "sig" };
const issuer = `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: CLIENT,
      token_endpoint_auth_method: "none",
      redirect_uris: [back],
      id_token_signed_response_alg: "ES256",
    },
  ],
  jwks: { keys: [key] },
  cookies: { keys: ["for the tests"] },
  pkce: { required: () => true },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  features: {
    resourceIndicators: {
      enabled: true,
      defaultResource: () => RESOURCE,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: "openid",
        audience: AUDIENCE,
        accessTokenFormat: "jwt",
        accessTokenTTL: TOKEN_SECONDS,
        jwt: { sign: { alg: "ES256" } },
      }),
    },
  },
  formats: {
    customizers: {
      jwt: (_, token, parts) => {
        const [person, agency] = token.accountId.split("@");
        parts.payload.sub = agency;
        parts.payload.nbf = parts.payload.iat;
        parts.payload.actor = { id: person, kind: "human" };
        return parts;
      },
    },
  },
});
provider.listen(Number(port), "127.0.0.1", () => console.log(issuer));
