// The pages for people who open an address that has no page: the 401 of `/`, a 404 and a 405, with
// the demo data, where they lead to the tour and to a first token, and with a configuration.
// usage: node lost.mjs PROGRAM [SHOTS]; ends in 'N passed, N failed'.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accessible, browser, check, equal, finish, fits, program, shot } from "./common.mjs";

const file = join(mkdtempSync(join(tmpdir(), "oauth2d-lost-")), "oauth2d.conf");
writeFileSync(file, "[client app]\nsecret = secret\ngrants = client_credentials\n");

async function start(...options) {
  const server = spawn(program, ["--listen", "localhost:0", ...options], { stdio: ["ignore", "pipe", "ignore"] });
  const lines = await new Promise((ready) => server.stdout.once("data", (text) => ready(String(text))));
  return { server, base: `http://localhost:${lines.match(/:(\d+)\n/)[1]}` };
}

const servers = { demo: await start(), configured: await start("--config", file) };

// The way to a 405 is a form that goes to the wrong address.
async function submit(page, base) {
  await page.setContent(`<title>x</title><form method="post" action="${base}/"><button>Send</button></form>`);
  const [answer] = await Promise.all([page.waitForResponse(`${base}/`), page.getByRole("button").click()]);
  await page.waitForLoadState();
  return answer;
}

// For each status how a person gets there, and the heading of the page.
const lost = {
  401: [(page, base) => page.goto(`${base}/`), "This needs an access token"],
  404: [(page, base) => page.goto(`${base}/nothing`), "There is nothing here"],
  405: [submit, "This is not for a browser"],
};

const SIZES = [1280, 360, 320];

async function person(what, options, base, visit) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("request", (request) => { if (!request.url().startsWith(base)) complaints.push(request.url()); });
  page.on("console", (message) => {
    // Chromium tells of the status itself; nothing else may be there.
    if (!/^Failed to load resource: the server responded with a status of 40[145] /.test(message.text())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await check("lost", what, page, async () => {
    await visit(page);
    equal(complaints, []);
  });
  await context.close();
}

for (const [name, { base }] of Object.entries(servers)) {
  for (const [status, [visit, heading]] of Object.entries(lost)) {
    for (const colorScheme of ["light", "dark"]) {
      for (const [width, text] of SIZES.flatMap((width) => [[width, 100], [width, 200]])) {
        const look = `${name}, ${status}, ${colorScheme}, ${width} px, text ${text} %`;
        await person(look, { colorScheme, viewport: { width, height: 740 }, bypassCSP: true }, base, async (page) => {
          equal((await visit(page, base)).status(), Number(status));
          await page.addStyleTag({ content: `html { font-size: ${text}% }` });
          equal(await page.getByRole("heading", { level: 1 }).innerText(), heading);
          equal(await fits(page), true);
          await shot(page, `lost-${name}-${status}-${colorScheme}-${width}-${text}`);
          await accessible(page);
        });
      }
    }
  }
}

for (const [status, [visit]] of Object.entries(lost)) {
  await person(`demo, ${status}: the keyboard reaches the tour, without JavaScript too`, { javaScriptEnabled: false }, servers.demo.base, async (page) => {
    await visit(page, servers.demo.base);
    await page.keyboard.press("Tab");
    equal(await page.locator("*:focus").innerText(), "Take the tour");
    await page.keyboard.press("Enter");
    await page.waitForURL(`${servers.demo.base}/tour`);
    equal(await page.getByRole("heading", { level: 1 }).innerText(), "OAuth, message by message");
  });

  await person(`demo, ${status}: the command gives a token`, {}, servers.demo.base, async (page) => {
    await visit(page, servers.demo.base);
    const command = await page.locator("code").innerText();
    const answer = execFileSync("sh", ["-c", `${command} 2>/dev/null`], { encoding: "utf8" });
    equal(JSON.parse(answer).token_type, "bearer");
  });

  await person(`configured, ${status}: no tour is named`, {}, servers.configured.base, async (page) => {
    await visit(page, servers.configured.base);
    equal(await page.getByRole("link").count(), 0);
    equal(/tour|curl|pedroetb/i.test(await page.locator("body").innerText()), false);
  });
}

Object.values(servers).forEach(({ server }) => server.kill());
await finish("lost");
