// One program that uses the official TypeScript SDK, as its own documentation says, and says what
// the result is, as a line of JSON. usage: client.mjs 1|2 PLAN

import { signIn } from "./person.mjs";

const sdk = await (process.argv[2] === "2"
  ? import("@modelcontextprotocol/client")
  : Promise.all([
      import("@modelcontextprotocol/sdk/client/index.js"),
      import("@modelcontextprotocol/sdk/client/streamableHttp.js"),
      import("@modelcontextprotocol/sdk/client/auth.js"),
    ]).then((modules) => Object.assign({}, ...modules)));
const plan = JSON.parse(process.argv[3]);
const redirectUrl = "http://127.0.0.1:49152/callback";

/** What the program keeps between its requests. */
class Provider {
  redirectUrl = redirectUrl;
  clientMetadataUrl = plan.clientMetadataUrl;
  clientMetadata = {
    client_name: "Test program", redirect_uris: [redirectUrl], token_endpoint_auth_method: "none",
    grant_types: ["authorization_code", "refresh_token"], response_types: ["code"],
  };
  signIns = [];
  clientInformation() { return this.client; }
  saveClientInformation(client) { this.client = client; }
  tokens() { return this.kept; }
  saveTokens(tokens) { this.kept = tokens; }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  codeVerifier() { return this.verifier; }
  discoveryState() { return this.discovery; }
  saveDiscoveryState(discovery) { this.discovery = discovery; }
  async redirectToAuthorization(url) {
    this.signIns.push({ scope: url.searchParams.get("scope"), resource: url.searchParams.get("resource") });
    this.back = await signIn(url);
  }
}

/** Connects, and signs in where it has to. */
async function connect(url, provider) {
  for (let attempt = 0; ; attempt++) {
    const transport = new sdk.StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
    const client = new sdk.Client({ name: "test", version: "1.0.0" });
    try {
      await client.connect(transport);
      return client;
    } catch (error) {
      if (!(error instanceof sdk.UnauthorizedError) || attempt > 1) throw error;
      // SDK 2 compares the issuer that comes back with the one that it asked.
      await transport.finishAuth(provider.back.get("code"), provider.back.get("iss") ?? undefined);
    }
  }
}

async function who(client) {
  const { tools } = await client.listTools();
  const { content } = await client.callTool({ name: tools[0].name, arguments: {} });
  return content[0].text;
}

const provider = new Provider();
const said = {};
const client = await connect(plan.url, provider);
said.first = await who(client);
const { access_token, refresh_token } = provider.kept;

// An expired access token: the SDK refreshes by itself.
provider.kept = { ...provider.kept, access_token: "0".repeat(40) };
said.refreshed = await who(client);
said.isRotated = provider.kept.refresh_token !== refresh_token && provider.kept.access_token !== access_token;
said.token = provider.kept.access_token;
await client.close();

// A part that needs a wider scope. SDK 1 would refresh for ever with what it has, so with it the
// program forgets its refresh token first.
if (process.argv[2] === "1") provider.kept = { ...provider.kept, refresh_token: undefined };
const second = await connect(plan.more, provider);
said.steppedUp = await who(second);
await second.close();
said.clientId = provider.client.client_id;
said.signIns = provider.signIns;
console.log(JSON.stringify(said));
process.exit(0);
