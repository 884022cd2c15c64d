"use strict";
// What all stories are made of: who takes part, and the messages between them.

// Who takes part; OAuth's word for it is in parentheses.
const ACTORS = {
  browser: { name: "You", long: "you and your browser (resource owner, user agent)" },
  device: { name: "TV", long: "a device without a keyboard (client)" },
  app: { name: "App", long: "the application (client)" },
  server: { name: "oauth2d", long: "this server (authorization server)" },
  api: { name: "API", long: "what the token opens (resource server)" },
};

const PUBLIC = "publicApplication";
const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

// The redirect URI of the tour's app, which is registered for every loopback name.
const isLoopback = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
const CALLBACK = `${isLoopback ? location.origin : "http://localhost"}/tour/callback`;

const form = (path, parameters, fields = {}) => ({ method: "POST", path, parameters, fields });
const query = (path, parameters = {}, fields = {}) => ({ method: "GET", path, parameters, fields });
const basic = (id, secret) => ({ Authorization: `Basic ${btoa(`${id}:${secret}`)}` });
const bearer = (token) => ({ Authorization: `Bearer ${token}` });

const base64url = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

// A verifier and its challenge (RFC 7636, sections 4.1 and 4.2). A page that came over plain http
// from another machine may not hash, so then the ones from the RFC's own example have to do.
async function pkce() {
  if (!crypto.subtle) {
    return ["dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"];
  }
  const verifier = random();
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  return [verifier, base64url(digest)];
}

// The messages that several stories share. Each is called with what the story knows so far.

const DISCOVER = {
  title: "The app asks what this server can do",
  from: "app", to: "server",
  text: "An app is configured with one address, the issuer. Everything else it looks up there: where each endpoint is, and which methods the server supports.",
  request: () => query("/.well-known/oauth-authorization-server"),
  learn: (known, answer) => { known.issuer = answer.json.issuer; },
  after: "Now the app knows the issuer's exact name, and will compare it later.",
};

const SECRETS = {
  title: "The app makes up its secrets",
  from: "app",
  text: "Nothing is sent yet. The app makes a new state and a new verifier, and keeps both. It will send only the state and a hash of the verifier, the challenge.",
  prepare: async (known) => {
    known.state = random().slice(0, 16);
    [known.verifier, known.challenge] = await pkce();
  },
  facts: (known) => [
    ["state", known.state, "comes back with the answer, so the app knows that the answer belongs to its own request and was not slipped in by another site"],
    ["verifier", known.verifier, "stays in the app"],
    ["challenge", known.challenge, "the verifier's SHA-256: it is sent, and gives nothing away"],
  ],
};

const authorization = (known, more = {}) => ({
  response_type: "code", client_id: PUBLIC, redirect_uri: CALLBACK, scope: "read",
  state: known.state, code_challenge: known.challenge, code_challenge_method: "S256", ...more,
});

const signIn = (more = {}) => ({ username: "pedroetb", password: "password", decision: "allow", ...more });

const ASK = {
  title: "The app sends your browser to the server",
  from: "browser", to: "server",
  text: "The app does not ask for your password. It sends your browser to the server, with a request that says who asks, for what, and where to send you back.",
  request: (known) => query("/oauth/authorize", authorization(known)),
  after: "The answer is the server's own page, which names the app and what it asks for. The app cannot see what you type there.",
  link: (known) => `/oauth/authorize?${new URLSearchParams(authorization(known))}`,
};

const ALLOW = {
  title: "You sign in and press Allow",
  from: "browser", to: "server",
  text: "The page sends your name, your password and your decision to the server, together with the app's request, which is checked again. In the demo you are pedroetb.",
  request: (known) => form("/oauth/authorize", { ...authorization(known), ...signIn() }),
  learn: (known, answer) => {
    known.back = answer.location;
    known.code = known.back.searchParams.get("code");
    known.codeTime = Date.now();
  },
  after: "A redirect with a code in it. The code is not a token: it works within a minute, once, and only for whoever has the verifier.",
};

const BACK = {
  title: "Your browser goes back to the app", button: "Go back to the app",
  from: "browser", to: "app",
  text: "The browser follows the redirect to the app's own address. Before the app uses the code, it checks the two other values that came with it.",
  facts: (known) => [
    ["code", known.code, "to be exchanged for a token"],
    ["state", known.back.searchParams.get("state"), known.back.searchParams.get("state") === known.state
      ? "✓ the one that the app made, so this is the answer to its own request" : "✗ not the one that the app made: it stops here"],
    ["iss", known.back.searchParams.get("iss"), known.back.searchParams.get("iss") === known.issuer
      ? "✓ the issuer that the app asked. An app that uses several servers so knows which one this code is from, and sends it to no other" : "✗ not the issuer that the app asked: it stops here"],
  ],
  cite: "RFC 9207, section 2",
};

const exchange = (known, verifier) => form("/oauth/token", {
  grant_type: "authorization_code", client_id: PUBLIC, code: known.code, redirect_uri: CALLBACK, code_verifier: verifier,
});

// What a story cannot go on without.
function needed(value) {
  if (!value) throw new Error("an answer that was not expected");
  return value;
}

const remember = (known, answer) => {
  needed(answer.json.access_token);
  known.before = { access: known.access, refresh: known.refresh };
  known.access = answer.json.access_token;
  known.refresh = answer.json.refresh_token;
};

// A code lives for a minute. If you read for longer, the tour signs you in again.
async function freshCode(known) {
  if (Date.now() - known.codeTime < 45_000) return undefined;
  ALLOW.learn(known, await send(ALLOW.request(known)));
  return "A code lives for a minute, and yours was older. So the tour has repeated the earlier steps, and this is a new code.";
}

const EXCHANGE = {
  title: "The app trades the code for a token",
  from: "app", to: "server",
  text: "Straight to the server, not through the browser. The app shows the verifier, so the server can hash it and see that whoever collects the token is the one who asked.",
  before: freshCode,
  request: (known) => exchange(known, known.verifier),
  learn: remember,
  after: "PKCE in one sentence: a code that is caught on its way is worthless without the verifier, which never goes that way.",
};

const USE = {
  title: "The app uses the token",
  from: "app", to: "api",
  text: "The app shows the access token to the API. Whoever bears it is let in, so it belongs in this header field, over TLS, and nowhere else.",
  request: (known) => query("/", {}, bearer(known.access)),
  after: "Let in. In the demo the API is this server itself, at the address / .",
};

const useOf = (title, text, token, after) => ({
  title, from: "app", to: "api", text, request: (known) => query("/", {}, bearer(token(known))), after,
});
