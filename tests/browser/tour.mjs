// The tour in real Chromium: every story to its end, by mouse and by keyboard, in every look.
// usage: node tour.mjs PROGRAM [SHOTS]; ends in 'N passed, N failed'.

import { spawn } from "node:child_process";
import { accessible, browser, check, equal, finish, fits, program, shot } from "./common.mjs";

// What each step comes to: the answer's status, with ! where the story goes wrong on purpose, or a
// dash where nothing is sent.
const FIRST = "200 - 200 303 -";
const STORIES = {
  "code": `${FIRST} 200 200`,
  "code/verifier": `${FIRST} 400! 400!`,
  "code/twice": `${FIRST} 200 400! 401!`,
  "code/scope": "200 - 303!",
  "code/deny": "200 - 200 303!",
  "code/redirect": "200 - 400!",
  "refresh": `${FIRST} 200 200 200 401!`,
  "refresh/reuse": `${FIRST} 200 200 400! 400!`,
  "refresh/wider": `${FIRST} 200 400! 200`,
  "client": "200 200",
  "client/secret": "401! 401!",
  "client/grant": "400!",
  "client/scope": "400!",
  "device": "200 400 200 200 200",
  "device/hurry": "200 400 400!",
  "device/deny": "200 400 200 200 400!",
  "device/twice": "200 400 200 200 200 400!",
  "password": "- 200 200",
  "password/secret": "401!",
  "password/password": "400! 400!",
  "password/scope": "400!",
  "api": "401 200 200 200 200 200 401!",
  "api/other": "200 400! 200",
};
// The server's last word in some of them.
const LAST = {
  "code": "it was issued to client publicApplication, for pedroetb, with read RFC 6749, section 1.4",
  "code/scope": "not so: the client may ask for this scope RFC 6749, section 3.3",
  "code/twice": "not so: the token is known, has not expired and was not revoked RFC 6750, section 3.1",
  "refresh/reuse": "not so: the refresh token's family is alive RFC 6749, section 6",
  "client/secret": "not so: the client is known, and its secret is right RFC 6749, section 5.2",
  "device/hurry": "not so: the device has waited for the interval since its last poll RFC 8628, section 3.5",
  "password/secret": "not so: the client is known, and its secret is right RFC 6749, section 5.2",
};

// One person with a server and a browser of their own. Nothing goes elsewhere, and the console is
// told of nothing but the answers that are refusals on purpose.
async function person(what, options, visit) {
  const server = spawn(program, ["--listen", "localhost:0"], { stdio: ["ignore", "pipe", "ignore"] });
  const lines = await new Promise((ready) => server.stdout.once("data", (text) => ready(String(text))));
  const [, port] = lines.match(/:(\d+)\n/);
  const base = `http://${options.host ?? "localhost"}:${port}`;
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce", ...options });
  const complaints = [];
  context.on("request", (request) => { if (!request.url().startsWith(base)) complaints.push(request.url()); });
  context.on("console", (message) => {
    const isRefusal = /^Failed to load resource: (net::ERR_FAILED|the server responded with a status of (40[013]|503) )/.test(message.text());
    if (!isRefusal || !message.location().url.startsWith(base)) complaints.push(message.text());
  });
  context.on("weberror", (error) => complaints.push(String(error.error())));
  const page = await context.newPage();
  await check("tour", what, page, async () => {
    await visit(page, base, lines);
    equal(complaints.slice(0, 3), []);
  });
  await context.close();
  server.kill();
}

const byMouse = (page) => page.locator("button.send").click();

async function byKeyboard(page) {
  const isThere = () => page.evaluate(() => document.activeElement.matches("button.send"));
  for (let presses = 0; !await isThere(); presses++) {
    if (presses > 80) throw new Error("the button is not reached");
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
}

// Takes every step that is left, and says what each came to.
async function toTheEnd(page, press) {
  const count = await page.locator(".step").count();
  const isOpen = (n) => page.waitForFunction((n) => document.querySelectorAll(".step.done, .step.bad").length >= n, n);
  await page.waitForSelector("button.send");
  for (let done = await page.locator(".step.done, .step.bad").count(); done < count; done++) {
    await press(page);
    await isOpen(done + 1);
    if (done + 1 < count) await page.waitForSelector(".step.now button.send");
  }
  await page.waitForSelector(".ending");
  return page.evaluate(() => [...document.querySelectorAll(".step")].map((step) => {
    const answer = step.querySelector("figure.answer pre")?.textContent;
    return `${answer?.match(/^HTTP\/1\.1 (\d+)/)[1] ?? "-"}${step.matches(".bad") ? "!" : ""}`;
  }).join(" "));
}

const lastWord = (page) => page.locator(".checks li").last()
  .evaluate((item) => item.textContent.replace(/^[✓✗]/, ""));

async function tell(page, base, story, press) {
  await page.goto(`${base}/tour?${story}#${story}`);
  equal(await toTheEnd(page, press), STORIES[story]);
  if (LAST[story]) equal(await lastWord(page), LAST[story]);
}

async function judge(page) {
  equal(await fits(page), true);
  await accessible(page);
}

for (const colorScheme of ["light", "dark"]) {
  for (const [width, text] of [[1280, 100], [360, 100], [320, 200]]) {
    const look = `${colorScheme}, ${width} px, text ${text} %`;
    await person(`every story, ${look}`, { colorScheme, viewport: { width, height: 740 } }, async (page, base) => {
      // As a person would set it, before the page is there.
      await page.addInitScript((text) => addEventListener("DOMContentLoaded", () => { document.documentElement.style.fontSize = `${text}%`; }), text);
      for (const story of Object.keys(STORIES)) {
        await tell(page, base, story, byMouse);
        await shot(page, `tour-${story.replace("/", "-")}-${colorScheme}-${width}`);
        equal(await fits(page), true);
        // And with everything that has been folded.
        await page.evaluate(() => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
        await judge(page);
      }
    });
  }
}

await person("every story is in the list", {}, async (page, base) => {
  await page.goto(`${base}/tour`);
  const all = await page.evaluate(() => CHAPTERS.flatMap((chapter) => chapter.stories.map((story) => chapter.id + (story.id && `/${story.id}`))));
  equal(all, Object.keys(STORIES));
});

await person("every story, with the keyboard alone", {}, async (page, base) => {
  for (const story of Object.keys(STORIES)) await tell(page, base, story, byKeyboard);
});

await person("from story to story by its links", {}, async (page, base) => {
  await page.goto(`${base}/tour`);
  const press = async (within, name) => {
    await page.locator(within).getByRole("link", { name }).click();
    await page.locator("nav [aria-current]", { hasText: name }).waitFor();
    await page.waitForSelector(".step.now button.send");
  };
  await press("#chapters", "Client credentials");
  equal(await page.locator("*:focus").innerText(), "Client credentials");
  await press(".stories", "A wrong secret");
  equal(await toTheEnd(page, byMouse), STORIES["client/secret"]);
  await page.getByRole("button", { name: "Begin again" }).click();
  equal(await toTheEnd(page, byMouse), STORIES["client/secret"]);
  await press(".ending", "Device code");
  equal(await toTheEnd(page, byMouse), STORIES.device);
});

await person("the message whose turn it is lights up", {}, async (page, base) => {
  await page.goto(`${base}/tour#client`);
  const said = () => page.getByRole("img").getAttribute("aria-label");
  equal(await said(), "Step 1 of 2, from App to oauth2d: The app asks in its own name.");
  equal(await page.locator("svg .now").count(), 1);
  await byMouse(page);
  await page.waitForSelector("svg .done");
  equal(await said(), "Step 2 of 2, from App to API: The app uses the token.");
  equal(await page.getByRole("status").innerText(), await said());
});

await person("the real pages, in a tab of their own, and back", {}, async (page, base) => {
  await page.goto(`${base}/tour`);
  for (let step = 1; step <= 3; step++) {
    await page.locator(".step.now button.send").click();
    await page.waitForSelector(`.step:nth-child(${step + 1}).now button.send`);
  }
  const opened = page.waitForEvent("popup");
  await page.getByRole("link", { name: "See this page as people do" }).click();
  const tab = await opened;
  await tab.getByLabel("User name").fill("pedroetb");
  await tab.getByLabel("Password").fill("password");
  await tab.getByRole("button", { name: "Allow" }).click();
  await tab.waitForURL(/tour\/callback/);
  equal(await tab.getByRole("heading", { level: 2 }).innerText(), "You are back at the app");
  equal(await tab.locator("dt").allInnerTexts(), ["code", "state", "iss"]);
  await judge(tab);
});

await person("who reads slowly gets a fresh code", {}, async (page, base) => {
  await page.clock.install();
  await page.goto(`${base}/tour`);
  for (let step = 1; step <= 5; step++) {
    await page.locator(".step.now button.send").click();
    await page.waitForSelector(`.step:nth-child(${step + 1}).now button.send`);
  }
  await page.clock.fastForward(61_000);
  equal(await toTheEnd(page, byMouse), STORIES.code);
  equal(await page.getByText("A code lives for a minute").count(), 1);
});

for (const host of ["127.0.0.1", "[::1]"]) {
  await person(`by the name ${host}`, { host }, async (page, base, lines) => {
    if (!lines.includes(host)) return console.log(`tour: this machine has no ${host}`);
    await tell(page, base, "code", byMouse);
    equal(await page.locator("figure pre").filter({ hasText: `redirect_uri=${encodeURIComponent(base)}` }).count() > 0, true);
  });
}

await person("a server that is gone is told of", {}, async (page, base) => {
  await page.goto(`${base}/tour#client`);
  await page.route("**/oauth/token", (route) => route.abort(), { times: 1 });
  await byMouse(page);
  await page.getByRole("alert").filter({ hasText: "Make sure that it is running" }).waitFor();
  equal(await toTheEnd(page, byMouse), STORIES.client);
});

await person("an answer that the story cannot use is told of", {}, async (page, base) => {
  await page.goto(`${base}/tour#client`);
  await page.route("**/oauth/token", (route) => route.fulfill({ status: 503, body: "{}" }), { times: 1 });
  await byMouse(page);
  await page.getByRole("alert").filter({ hasText: "it cannot go on" }).waitFor();
  await page.getByRole("button", { name: "Begin again" }).click();
  equal(await toTheEnd(page, byMouse), STORIES.client);
});

await person("without scripts the page says what is missing", { javaScriptEnabled: false }, async (page, base) => {
  await page.goto(`${base}/tour`);
  equal(await page.getByText("this page needs JavaScript").isVisible(), true);
});

await finish("tour");
