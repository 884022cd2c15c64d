// An MCP service of the official SDK, which knows nothing about OAuth: what is in front of it says
// who asks. usage: service.mjs PORT

import http from "node:http";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";

function notes() {
  const server = new McpServer({ name: "notes", version: "1.0.0" });
  server.registerTool("who", { description: "Says who asks." }, ({ requestInfo: { headers } }) => {
    const told = ["client", "user", "scope"].map((name) => headers[`x-auth-${name}`] ?? "");
    const text = [...told, headers.authorization ?? "none"].join("|");
    return { content: [{ type: "text", text }] };
  });
  return server;
}

async function answer(request, response) {
  if (request.method === "OPTIONS") {
    return response.writeHead(204, { "Access-Control-Allow-Origin": "*" }).end();
  }
  // Each request has its own server: the service keeps nothing between them.
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  response.on("close", () => transport.close());
  await notes().connect(transport);
  await transport.handleRequest(request, response);
}

http.createServer((request, response) => answer(request, response).catch((error) => {
  console.error(error);
  response.destroy();
})).listen(Number(process.argv[2]), "127.0.0.1");
