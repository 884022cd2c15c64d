// The pages in real Chromium, as a person meets them.
// usage: node run.mjs PROGRAM [SHOTS]; ends in 'N passed, N failed'.

import { spawn } from "node:child_process";
import { mkdtempSync, writeFileSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const [program, shots] = process.argv.slice(2);
if (shots) mkdirSync(shots, { recursive: true });

// Where the browser comes back to.
const client = createServer((_, answer) => answer.end("back"));
await new Promise((ready) => client.listen(0, "127.0.0.1", ready));
const callback = `http://127.0.0.1:${client.address().port}/cb`;

const folder = mkdtempSync(join(tmpdir(), "oauth2d-browser-"));
const file = join(folder, "oauth2d.conf");
writeFileSync(file, `[server]
log = off
[client Photo Printer]
secret = secret
grants = authorization_code device_code
scopes = photos:read albums:list
redirect_uris = http://127.0.0.1/cb
[user ann]
password = password
`);
const server = spawn(program, ["--config", file, "--listen", "127.0.0.1:0"]);
const issuer = await new Promise((ready) =>
  server.stdout.once("data", (text) => ready(String(text).split("\n")[0].replace("listening on ", ""))));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

const authorize = `${issuer}/oauth/authorize?response_type=code&client_id=Photo+Printer&scope=photos:read+albums:list`
  + `&state=s&redirect_uri=${encodeURIComponent(callback)}`;

async function startDevice() {
  const answer = await fetch(`${issuer}/oauth/device_authorization`, {
    method: "POST", body: new URLSearchParams({ client_id: "Photo Printer", client_secret: "secret", scope: "photos:read" }),
  });
  return answer.json();
}

let passed = 0, failed = 0;
const phone = { width: 360, height: 740 }, desktop = { width: 1280, height: 800 };

// One person with a browser of their own, from which no request leaves but to us and back.
async function person(what, options, visit) {
  const context = await browser.newContext({ viewport: desktop, ...options });
  const page = await context.newPage();
  const strangers = [], complaints = [];
  page.on("request", (request) => {
    const { origin } = new URL(request.url());
    if (origin !== issuer && origin !== new URL(callback).origin) strangers.push(request.url());
  });
  page.on("console", (message) => { if (message.type() === "error" && /Content Security|Refused/.test(message.text())) complaints.push(message.text()); });
  try {
    await visit(page);
    equal(strangers, []);
    equal(complaints, []);
    passed++;
    console.log(`browser: ${what} ... ok`);
  } catch (error) {
    failed++;
    console.log(`browser: ${what} ... FAILED: ${error.message}`);
  }
  await context.close();
}

function equal(actual, expected) {
  if (JSON.stringify(actual) !== JSON.stringify(expected))
    throw new Error(`${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`);
}

async function shot(page, name) {
  if (shots) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}

const returned = (page) => Object.fromEntries(new URL(page.url()).searchParams);
const focused = (page) => page.locator("*:focus").getAttribute("name");

await person("allow, by Enter, with the keyboard alone", {}, async (page) => {
  await page.goto(authorize);
  equal(await focused(page), "username");
  await page.keyboard.type("ann");
  await page.keyboard.press("Tab");
  await page.keyboard.type("password");
  await Promise.all([page.waitForURL(/\/cb/), page.keyboard.press("Enter")]);
  const { code, state, iss } = returned(page);
  equal([code.length, state, iss], [40, "s", issuer]);
});

await person("deny without a password", {}, async (page) => {
  await page.goto(authorize);
  await Promise.all([page.waitForURL(/\/cb/), page.getByRole("button", { name: "Deny" }).click()]);
  equal(returned(page).error, "access_denied");
});

await person("a wrong password, then the right one, without JavaScript", { javaScriptEnabled: false }, async (page) => {
  await page.goto(authorize);
  await page.getByLabel("User name").fill("ann");
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("button", { name: "Allow" }).click();
  equal(await page.getByRole("alert").count(), 1);
  equal(await page.getByLabel("User name").inputValue(), "ann");
  equal(await focused(page), "password");
  await page.getByLabel("Password").fill("password");
  await Promise.all([page.waitForURL(/\/cb/), page.getByRole("button", { name: "Allow" }).click()]);
  equal(returned(page).code.length, 40);
});

await person("a device, by its complete address", {}, async (page) => {
  const started = await startDevice();
  await page.goto(started.verification_uri_complete);
  equal(await page.getByLabel("Code").inputValue(), started.user_code);
  await page.getByLabel("User name").fill("ann");
  await page.getByLabel("Password").fill("password");
  await page.getByRole("button", { name: "Allow" }).click();
  equal(await page.getByRole("heading").innerText(), "Device connected");
});

await person("a device, by its code", {}, async (page) => {
  const started = await startDevice();
  await page.goto(started.verification_uri);
  equal(await focused(page), "user_code");
  await page.getByLabel("Code").fill("BBBB-BBBB");
  await page.getByRole("button", { name: "Deny" }).click();
  equal(await page.getByRole("alert").count(), 1);
  equal(await focused(page), "user_code");
  await page.getByLabel("Code").fill(started.user_code.toLowerCase());
  await page.getByRole("button", { name: "Deny" }).click();
  equal(await page.getByRole("heading").innerText(), "Access denied");
});

// Every page, in every look: nothing for axe, nothing wider than the screen.
for (const colorScheme of ["light", "dark"]) {
  for (const [name, viewport] of Object.entries({ phone, desktop })) {
    for (const kind of ["sign-in", "wrong", "device", "device-known", "done", "dead-end"]) {
      await person(`${kind}, ${colorScheme}, ${name}`, { colorScheme, viewport, bypassCSP: true }, async (page) => {
        if (kind === "sign-in" || kind === "wrong") await page.goto(authorize);
        if (kind === "wrong") {
          await page.getByLabel("User name").fill(`${colorScheme}-${name}`);
          await page.getByLabel("Password").fill("wrong");
          await page.getByRole("button", { name: "Allow" }).click();
        }
        if (kind === "device") await page.goto(`${issuer}/oauth/device`);
        if (kind === "device-known" || kind === "done") await page.goto((await startDevice()).verification_uri_complete);
        if (kind === "done") await page.getByRole("button", { name: "Deny" }).click();
        if (kind === "dead-end") await page.goto(`${issuer}/oauth/authorize?client_id=nobody`);
        await shot(page, `${kind}-${colorScheme}-${name}`);
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => axe.run());
        equal(violations.map((violation) => `${violation.id}: ${violation.nodes[0].html}`), []);
        equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
      });
    }
  }
}

await browser.close();
server.kill();
client.close();
console.log(`browser: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
