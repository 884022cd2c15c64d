"use strict";
// What every story is made of: who takes part, and the messages between them.

// Those who talk, in a picture's order; what is in brackets is OAuth's word.
const ACTORS = {
  browser: { name: "You", long: "you and your browser (resource owner, user agent)" },
  device: { name: "TV", long: "a device without a keyboard (client)" },
  app: { name: "App", long: "the application (client)" },
  server: { name: "oauth2d", long: "this server (authorization server)" },
  api: { name: "API", long: "what the token opens (resource server)" },
};

const PUBLIC = "publicApplication";
const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

// Where the app of the tour is come back to. Any loopback name is registered for it.
const isLoopback = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
const CALLBACK = `${isLoopback ? location.origin : "http://localhost"}/tour/callback`;

const form = (path, parameters, fields = {}) => ({ method: "POST", path, parameters, fields });
const query = (path, parameters = {}, fields = {}) => ({ method: "GET", path, parameters, fields });
const basic = (id, secret) => ({ Authorization: `Basic ${btoa(`${id}:${secret}`)}` });
const bearer = (token) => ({ Authorization: `Bearer ${token}` });

const base64url = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

// A verifier and its challenge (RFC 7636, sections 4.1 and 4.2). A page that came over plain http from another
// machine may not hash; then those of the RFC's own example have to do.
async function pkce() {
  if (!crypto.subtle) {
    return ["dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"];
  }
  const verifier = random();
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  return [verifier, base64url(digest)];
}

// The messages that more than one story has. Each is given what the story knows so far.

const DISCOVER = {
  title: "The app asks what this server can do",
  from: "app", to: "server",
  text: "An app is told one address, the issuer. Everything else it reads from there: which endpoint is where, and which methods are known.",
  request: () => query("/.well-known/oauth-authorization-server"),
  learn: (known, answer) => { known.issuer = answer.json.issuer; },
  after: "From now on the app knows the issuer's exact name, and will compare it later.",
};

const SECRETS = {
  title: "The app makes up its secrets",
  from: "app",
  text: "Nothing is sent yet. The app makes a fresh state and a fresh verifier, and keeps both. Only the state and a hash of the verifier, the challenge, will leave it.",
  prepare: async (known) => {
    known.state = random().slice(0, 16);
    [known.verifier, known.challenge] = await pkce();
  },
  facts: (known) => [
    ["state", known.state, "comes back with the answer, so that the app knows the answer belongs to its own request and was not slipped in by another site"],
    ["verifier", known.verifier, "stays in the app"],
    ["challenge", known.challenge, "the verifier's SHA-256: it goes along, and gives nothing away"],
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
  text: "The app does not ask for your password. It sends your browser away, with a request that says who asks, for what, and where to come back to.",
  request: (known) => query("/oauth/authorize", authorization(known)),
  after: "The answer is the server's own page: it names the app and what it asks for. The app cannot see what you type there.",
  link: (known) => `/oauth/authorize?${new URLSearchParams(authorization(known))}`,
};

const ALLOW = {
  title: "You sign in, and press Allow",
  from: "browser", to: "server",
  text: "The page sends your name, your password and your decision to the server, together with the app's request, which is checked once more. In the demo you are pedroetb.",
  request: (known) => form("/oauth/authorize", { ...authorization(known), ...signIn() }),
  learn: (known, answer) => {
    known.back = answer.location;
    known.code = known.back.searchParams.get("code");
    known.codeTime = Date.now();
  },
  after: "A redirect with a code in it. The code is no token: it is good for a minute, once, and only for who has the verifier.",
};

const BACK = {
  title: "Your browser goes back to the app", button: "Go back to the app",
  from: "browser", to: "app",
  text: "The browser follows the redirect to the app's own address. Before the app uses the code it looks at the two other values that came with it.",
  facts: (known) => [
    ["code", known.code, "to be exchanged for a token"],
    ["state", known.back.searchParams.get("state"), known.back.searchParams.get("state") === known.state
      ? "✓ the one that the app made: this is the answer to its own request" : "✗ not the app's: it stops here"],
    ["iss", known.back.searchParams.get("iss"), known.back.searchParams.get("iss") === known.issuer
      ? "✓ the issuer that the app asked: an app with several servers knows which one this code is from, and hands it to no other" : "✗ not the issuer that was asked: it stops here"],
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

// A code lives a minute, and whoever reads takes longer: then the tour signs you in again.
async function freshCode(known) {
  if (Date.now() - known.codeTime < 45_000) return undefined;
  ALLOW.learn(known, await send(ALLOW.request(known)));
  return "A code lives for a minute, and yours was older. So the tour has taken the steps before once more, and this is a new code.";
}

const EXCHANGE = {
  title: "The app trades the code for a token",
  from: "app", to: "server",
  text: "Straight to the server, past the browser. The app shows the verifier: now the server can hash it and see that who asked is who collects.",
  before: freshCode,
  request: (known) => exchange(known, known.verifier),
  learn: remember,
  after: "PKCE in one sentence: a code that was caught on its way is worthless without the verifier, which never was on that way.",
};

const USE = {
  title: "The app uses the token",
  from: "app", to: "api",
  text: "The app shows the access token to the API. Whoever bears it is let in, so it belongs in this field, over TLS, and nowhere else.",
  request: (known) => query("/", {}, bearer(known.access)),
  after: "Let in. In the demo the API is this server itself, at the address / .",
};

const useOf = (title, text, token, after) => ({
  title, from: "app", to: "api", text, request: (known) => query("/", {}, bearer(token(known))), after,
});
