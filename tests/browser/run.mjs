// The pages in real Chromium, as a person meets them.
// usage: node run.mjs PROGRAM [SHOTS]; ends in 'N passed, N failed'.

import { spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accessible, browser, check, equal, finish, fits, program, shot } from "./common.mjs";

// Where the browser comes back to and, by its other name, another site.
let elsewhere = "";
const client = createServer((request, answer) => {
  answer.setHeader("Content-Type", "text/html");
  answer.end(request.url === "/elsewhere" ? elsewhere : "back");
});
await new Promise((ready) => client.listen(0, "127.0.0.1", ready));
const callback = `http://127.0.0.1:${client.address().port}/cb`;
const site = `http://localhost:${client.address().port}`;

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

const authorize = `${issuer}/oauth/authorize?response_type=code&client_id=Photo+Printer&scope=photos:read+albums:list`
  + `&state=s&redirect_uri=${encodeURIComponent(callback)}`;

async function startDevice() {
  const answer = await fetch(`${issuer}/oauth/device_authorization`, {
    method: "POST", body: new URLSearchParams({ client_id: "Photo Printer", client_secret: "secret", scope: "photos:read" }),
  });
  return answer.json();
}

const phone = { width: 360, height: 740 }, desktop = { width: 1280, height: 800 };
const narrow = { width: 320, height: 640 };

// One person with a browser of their own, from which no request leaves but to us and back.
async function person(what, options, visit) {
  const context = await browser.newContext({ viewport: desktop, ...options });
  const page = await context.newPage();
  const strangers = [], complaints = [];
  page.on("request", (request) => {
    const { origin } = new URL(request.url());
    if (![issuer, new URL(callback).origin, site].includes(origin)) strangers.push(request.url());
  });
  page.on("console", (message) => { if (message.type() === "error" && /Content Security|Refused/.test(message.text())) complaints.push(message.text()); });
  await check("browser", what, page, async () => {
    await visit(page);
    equal(strangers, []);
    equal(complaints, []);
  });
  await context.close();
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
  equal([code.length, state, iss], [64, "s", issuer]);
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
  equal(returned(page).code.length, 64);
});

// Who asks is there before anything can be allowed.
async function secondStep(page, code) {
  equal(await page.getByRole("heading").innerText(), "Allow Photo Printer access?");
  equal(await page.getByRole("listitem").allInnerTexts(), ["photos:read"]);
  equal(await page.getByText("Allow this only if").innerText(), `Allow this only if your device shows the code ${code}.`);
}

async function firstStep(page, code) {
  equal(await page.getByRole("heading").innerText(), "Connect a device");
  equal(await page.getByLabel("Code").inputValue(), code);
  equal(await page.getByRole("button").allInnerTexts(), ["Continue"]);
  equal(await page.getByLabel("Password").count(), 0);
  equal(await focused(page), "user_code");
}

const press = (page, name) => page.getByRole("button", { name }).click();

async function signIn(page, password) {
  await page.getByLabel("User name").fill("ann");
  await page.getByLabel("Password").fill(password);
  await press(page, "Allow");
}

await person("a device, by its complete address", {}, async (page) => {
  const started = await startDevice();
  await page.goto(started.verification_uri_complete);
  await secondStep(page, started.user_code);
  equal(await focused(page), "username");
  await signIn(page, "password");
  equal(await page.getByRole("heading").innerText(), "Device connected");
});

await person("a device, by its code, with the keyboard alone", {}, async (page) => {
  const started = await startDevice();
  await page.goto(started.verification_uri);
  await firstStep(page, "");
  await page.keyboard.type(started.user_code.toLowerCase());
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
  await secondStep(page, started.user_code);
  equal(await focused(page), "username");
  await page.keyboard.type("ann");
  await page.keyboard.press("Tab");
  await page.keyboard.type("password");
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
  equal(await page.getByRole("heading").innerText(), "Device connected");
});

await person("a device, by its code, with mistakes and without JavaScript", { javaScriptEnabled: false }, async (page) => {
  const started = await startDevice();
  await page.goto(started.verification_uri);
  await page.getByLabel("Code").fill("BBBB-BBBB");
  await press(page, "Continue");
  equal(await page.getByRole("alert").count(), 1);
  await firstStep(page, "");
  await page.getByLabel("Code").fill(started.user_code.replace("-", " "));
  await press(page, "Continue");
  await secondStep(page, started.user_code);
  await signIn(page, "wrong");
  equal(await page.getByRole("alert").count(), 1);
  await secondStep(page, started.user_code);
  equal(await page.getByLabel("User name").inputValue(), "ann");
  equal(await focused(page), "password");
  await press(page, "Deny");
  equal(await page.getByRole("heading").innerText(), "Access denied");
});

await person("another site's link waits for a press, and its images count for nothing", {}, async (page) => {
  const started = await startDevice();
  elsewhere = `<a href="${started.verification_uri_complete}">link</a>` + Array.from({ length: 30 }, (_, n) =>
    `<img src="${started.verification_uri}?user_code=BBBB-BBBB&n=${n}">`).join("");
  await page.goto(`${site}/elsewhere`);
  await page.getByRole("link").click();
  await firstStep(page, started.user_code);
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
  await secondStep(page, started.user_code);
  await press(page, "Deny");
  equal(await page.getByRole("heading").innerText(), "Access denied");
});

await person("another site's form does nothing", {}, async (page) => {
  const started = await startDevice();
  elsewhere = `<form method="post" action="${started.verification_uri}"><input name="user_code" value="${started.user_code}">
    <input name="decision" value="deny"><button>Win</button></form>`;
  await page.goto(`${site}/elsewhere`);
  await press(page, "Win");
  equal(await page.getByRole("alert").count(), 1);
  await firstStep(page, started.user_code);
  await press(page, "Continue");
  await secondStep(page, started.user_code);
  elsewhere = `<form method="post" action="${authorize.replaceAll("&", "&amp;")}">${[...new URL(authorize).searchParams, ["decision", "deny"]]
    .map(([name, value]) => `<input name="${name}" value="${value}">`).join("")}<button>Win</button></form>`;
  await page.goto(`${site}/elsewhere`);
  await press(page, "Win");
  equal(await page.getByRole("alert").count(), 1);
  await signIn(page, "password");
  await page.waitForURL(/\/cb/);
  equal(returned(page).code.length, 64);
});

const visits = {
  "sign-in": (page) => page.goto(authorize),
  "wrong-password": async (page, once) => {
    await page.goto(authorize);
    await page.getByLabel("User name").fill(once);
    await page.getByLabel("Password").fill("wrong");
    await press(page, "Allow");
  },
  "code": (page) => page.goto(`${issuer}/oauth/device`),
  "wrong-code": (page) => page.goto(`${issuer}/oauth/device?user_code=BBBB-BBBB`),
  "device": async (page) => page.goto((await startDevice()).verification_uri_complete),
  "device-done": async (page) => {
    await page.goto((await startDevice()).verification_uri_complete);
    await press(page, "Deny");
  },
  "dead-end": (page) => page.goto(`${issuer}/oauth/authorize?client_id=nobody`),
};

// The buttons whose words are on more than one line.
function broken() {
  const lines = (button) => {
    const range = document.createRange();
    range.selectNodeContents(button);
    return range.getClientRects().length;
  };
  return [...document.querySelectorAll("button")].filter((button) => lines(button) > 1).map((button) => button.innerText);
}

// Every page, in every look: nothing for axe, nothing wider than the screen, no button's word in
// two; also where the person has made the text twice as large.
for (const colorScheme of ["light", "dark"]) {
  for (const [name, viewport, text] of [["phone", phone, 100], ["desktop", desktop, 100], ["narrow", narrow, 100], ["narrow-200", narrow, 200]]) {
    for (const [kind, visit] of Object.entries(visits)) {
      await person(`${kind}, ${colorScheme}, ${name}`, { colorScheme, viewport, bypassCSP: true }, async (page) => {
        await visit(page, `${colorScheme}-${name}`);
        await page.addStyleTag({ content: `html { font-size: ${text}% }` });
        equal(await fits(page), true);
        equal(await page.evaluate(broken), []);
        await shot(page, `${kind}-${colorScheme}-${name}`);
        await accessible(page);
      });
    }
  }
}

server.kill();
client.close();
await finish("browser");
