// A person with a browser, as far as the pages need one.

const unescaped = (text) => text
  .replace(/&quot;/g, '"').replace(/&#39;/g, "'").replace(/&lt;/g, "<").replace(/&gt;/g, ">")
  .replace(/&amp;/g, "&");

/** Signs in and allows what the page asks for; the query with which the browser comes back. */
export async function signIn(url) {
  const page = await fetch(url, { redirect: "manual" });
  const html = await page.text();
  if (page.status !== 200) throw new Error(`${page.status} at ${url}: ${page.headers.get("location") ?? html}`);
  const form = new URLSearchParams({ username: "ann", password: "password", decision: "allow" });
  for (const [, name, value] of html.matchAll(/type="hidden" name="([^"]*)" value="([^"]*)"/g)) {
    form.append(name, unescaped(value));
  }
  const action = new URL(html.match(/action="([^"]*)"/)[1], url);
  const answer = await fetch(action, { method: "POST", body: form, redirect: "manual" });
  if (answer.status !== 303) throw new Error(`${answer.status}: ${await answer.text()}`);
  return new URL(answer.headers.get("location")).searchParams;
}
