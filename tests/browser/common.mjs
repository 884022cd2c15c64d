// What the checks in a browser share: the browser, what axe says of a page, and the tally.

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const [program, shots] = process.argv.slice(2);
if (shots) mkdirSync(shots, { recursive: true });

export const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

export function equal(actual, expected) {
  if (JSON.stringify(actual) !== JSON.stringify(expected))
    throw new Error(`${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`);
}

// Whether nothing reaches past the right edge of the screen.
export const fits = (page) => page.evaluate(() => {
  const right = Math.max(...[...document.querySelectorAll("body *")].map((element) => element.getBoundingClientRect().right));
  return document.documentElement.scrollWidth <= innerWidth && right <= innerWidth;
});

// Asserts that axe finds nothing wrong with a page.
export async function accessible(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run());
  equal(violations.map((violation) => `${violation.id}: ${violation.nodes[0].html}`), []);
}

export async function shot(page, name) {
  if (shots) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}

let passed = 0, failed = 0;

// Counts one check, and says how it went.
export async function check(name, what, page, work) {
  try {
    await work();
    passed++;
    console.log(`${name}: ${what} ... ok`);
  } catch (error) {
    failed++;
    await shot(page, `${name}-failed-${failed}`);
    console.log(`${name}: ${what} ... FAILED: ${error.message}`);
  }
}

// Says how many have passed, and ends the program.
export async function finish(name) {
  await browser.close();
  console.log(`${name}: ${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}
