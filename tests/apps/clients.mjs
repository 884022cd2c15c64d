// What JavaScript's libraries make of each fault, while they refresh a token.
//
// usage: clients.mjs URL TOKENS SECONDS (its patience); prints a JSON object, library to what it made of it.

import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { AuthorizationCode } from "simple-oauth2";

const [url, tokens] = [process.argv[2], JSON.parse(process.argv[3])];
const PATIENCE = 1000 * process.argv[4];

async function openidClient(old) {
  const server = { issuer: url, token_endpoint: `${url}/oauth/token` };
  const config = new openid.Configuration(server, "openid-client", "secret");
  openid.allowInsecureRequests(config);
  config.timeout = PATIENCE / 1000;
  const token = await openid.refreshTokenGrant(config, old);
  return { ...token, isExpired: () => token.expiresIn() === 0 };
}

async function oauth4webapi(old) {
  const server = { issuer: url, token_endpoint: `${url}/oauth/token` };
  const client = { client_id: "oauth4webapi" };
  const options = { [oauth.allowInsecureRequests]: true, signal: AbortSignal.timeout(PATIENCE) };
  const secret = oauth.ClientSecretBasic("secret");
  const answer = await oauth.refreshTokenGrantRequest(server, client, secret, old, options);
  return oauth.processRefreshTokenResponse(server, client, answer);
}

async function simpleOauth2(old) {
  const client = { id: "simple-oauth2", secret: "secret" };
  const auth = { tokenHost: url, tokenPath: "/oauth/token" };
  const known = new AuthorizationCode({ client, auth, http: { timeout: PATIENCE } });
  const token = await known.createToken({ refresh_token: old }).refresh();
  return { ...token.token, isExpired: () => token.expired() };
}

/** What came of it, in a few words. */
async function told(refresh, old) {
  try {
    const token = await refresh(old);
    const kept = { undefined: "no", [old]: "keeps the old" }[token.refresh_token] ?? "a new";
    if (token.expires_in !== 1) return `a token, ${kept} refresh token`;
    await new Promise((resolve) => setTimeout(resolve, 2100));
    if (!token.isExpired) return "a token, whose time it does not keep";
    return `a token, ${token.isExpired() ? "expired" : "good"} two seconds later`;
  } catch (error) {
    const data = error.data?.payload?.error;
    const code = error.error ?? data ?? error.code ?? error.output?.statusCode;
    const kind = error instanceof DOMException ? error.name : error.constructor.name;
    return kind + (code && kind !== "TimeoutError" ? `: ${code}` : "");
  }
}

const libraries = {
  "openid-client": openidClient,
  oauth4webapi,
  "simple-oauth2": simpleOauth2,
};
const all = {};
for (const [name, refresh] of Object.entries(libraries)) all[name] = await told(refresh, tokens[name]);
console.log(JSON.stringify(all));
