// Tells a story: its steps one below the other, each with its message, the answer as it came, and
// the server's own steps.

const REASONS = { 200: "OK", 303: "See Other", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 429: "Too Many Requests" };
const SHOWN = ["Content-Type", "Cache-Control", "Location", "WWW-Authenticate", "Retry-After"];

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") element.onclick = value;
    else if (value !== undefined && value !== false) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== undefined));
  return element;
}

// A citation as a link to its section; the browser goes there only if the link is used.
function cited(text) {
  const source = text.match(/^(.*?)\s*\(?(RFC (\d+)), (section|appendix) ([\w.]+)\)?$/);
  if (!source) return [text];
  const [, what, rfc, number, kind, place] = source;
  const href = `https://www.rfc-editor.org/rfc/rfc${number}.html#${kind}-${place}`;
  return [what, what ? " " : "", make("a", { href, rel: "noreferrer", target: "_blank", class: "source" }, `${rfc}, ${kind} ${place}`)];
}

function requestText({ method, path, parameters, fields }) {
  const pairs = [...new URLSearchParams(parameters)].map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  const lines = [`Host: ${location.host}`, ...Object.entries(fields).map(([name, value]) => `${name}: ${value}`)];
  const target = method === "GET" && pairs.length ? `${path}\n  ?${pairs.join("\n  &")}` : path;
  if (method === "GET") return `GET ${target} HTTP/1.1\n${lines.join("\n")}`;
  return `POST ${path} HTTP/1.1\n${lines.join("\n")}\nContent-Type: application/x-www-form-urlencoded\n\n${pairs.join("\n&")}`;
}

async function send({ method, path, parameters, fields }) {
  const encoded = new URLSearchParams(parameters).toString();
  const target = method === "GET" && encoded ? `${path}?${encoded}` : path;
  const options = { method, headers: { Explain: "yes", ...fields }, credentials: "omit", redirect: "manual", cache: "no-store" };
  if (method === "POST") options.body = new URLSearchParams(parameters);
  const answer = await fetch(target, options);
  const body = await answer.text();
  const value = (name) => answer.headers.get(name);
  const place = value("Location");
  return {
    status: Number(value("Explain-Status") ?? answer.status),
    fields: SHOWN.filter(value).map((name) => `${name}: ${value(name)}`),
    body,
    json: body.startsWith("{") ? JSON.parse(body) : {},
    location: place ? new URL(place) : undefined,
    // One field for each step. The browser joins them, but each ends with its section.
    steps: (value("Explain") ?? "").split(/(?<=\([^()]*(?:section|appendix) [\w.]+\)), /).filter(Boolean),
  };
}

function answerText({ status, fields, body }) {
  const isPage = body.includes("<main>");
  const shown = isPage ? `(the page; this is its middle)\n${body.split("<main>")[1].split("</main>")[0].trim()}` : body;
  return `HTTP/1.1 ${status} ${REASONS[status] ?? ""}\n${fields.join("\n")}${shown ? `\n\n${shown}` : ""}`;
}

const isRefused = (answer) => answer.status >= 400 || Boolean(answer.location?.searchParams.has("error"));

// A story that is being told: what is known so far, and which step is next.
class Telling {
  constructor(chapter, story) {
    this.story = { actors: chapter.actors, ...story };
    this.known = {};
    this.marks = story.steps.map((_, place) => (place ? "next" : "now"));
    this.place = 0;
    this.picture = make("div", { class: "picture" });
    this.list = make("ol", { class: "steps" });
    this.items = story.steps.map((step, place) => this.item(step, place));
    const elements = this.items.map((item) => item.element);
    this.list.append(...taken(elements.splice(0, story.sent ?? 0)), ...elements);
    this.status = make("p", { class: "unseen", role: "status" });
    new ResizeObserver(() => this.draw()).observe(this.picture);
  }

  draw() { if (this.picture.isConnected) draw(this.picture, this.story, this.marks); }

  item(step, place) {
    const way = step.to ? `${ACTORS[step.from].name} → ${ACTORS[step.to].name}` : ACTORS[step.from].name;
    const heading = make("h3", { tabindex: "-1" }, make("span", { class: "number" }, String(place + 1)),
      make("span", {}, step.title), make("span", { class: "way" }, way));
    const inside = make("div", { class: "inside" });
    return { heading, inside, element: make("li", { class: "step next" }, heading, inside) };
  }

  // Shows the current step: what will be sent, and the button that sends it.
  async open() {
    const step = this.story.steps[this.place], { element, inside } = this.items[this.place];
    await step.prepare?.(this.known);
    element.className = "step now";
    const text = make("p", {}, step.text);
    const label = step.button ?? (step.request ? "Send this message" : "Continue");
    const button = make("button", { class: "send", onclick: () => this.take() }, label);
    const shown = step.request
      ? message("Request", requestText(step.request(this.known)), way(step))
      : facts(step.facts(this.known));
    const small = make("div", { class: "picture small", "aria-hidden": "true" });
    inside.replaceChildren(text, small, shown, make("p", { class: "do" }, button));
    this.draw();
    if (small.clientWidth) draw(small, { actors: this.story.actors, steps: [step] }, ["now"], this.place);
  }

  // Takes the current step, and opens the next.
  async take(quietly = false) {
    const { place } = this, step = this.story.steps[place], item = this.items[place];
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      let refused = false;
      if (step.request) {
        const note = await step.before?.(this.known);
        const request = step.request(this.known), answer = await send(request);
        item.inside.querySelector("pre").textContent = requestText(request);
        if (note) item.inside.querySelector("figure").before(make("p", { class: "storylead" }, note));
        refused = isRefused(answer) && !step.isFine;
        this.showAnswer(step, item, answer);
        step.learn?.(this.known, answer);
      } else if (step.cite) {
        item.inside.querySelector(".small").remove();
        item.inside.querySelector(".do").replaceWith(make("p", { class: "cite" }, cited(step.cite)));
      } else {
        item.inside.querySelectorAll(".small, .do").forEach((element) => element.remove());
      }
      this.marks[place] = refused ? "bad" : "done";
      item.element.className = `step ${this.marks[place]}`;
      this.items.slice(0, place).forEach(fold);
      this.place = place + 1;
      await this.next(item, quietly);
    } catch {
      this.complain(item);
    } finally {
      this.isBusy = false;
    }
  }

  async next(item, quietly) {
    if (this.place < this.items.length) {
      this.marks[this.place] = "now";
      await this.open();
    } else {
      this.draw();
      this.list.after(ending());
    }
    if (quietly) return;
    this.status.textContent = spoken(this.story, this.marks);
    item.heading.focus({ preventScroll: true });
    item.heading.scrollIntoView({ block: "start", behavior: calm() ? "auto" : "smooth" });
  }

  showAnswer(step, { inside }, answer) {
    const told = answer.steps.map((text) => {
      const failed = /^(failed|refused): /.test(text);
      return make("li", { class: failed ? "failed" : "passed" },
        make("span", { class: "mark", "aria-hidden": "true" }, failed ? "✗" : "✓"),
        make("span", {}, cited(text.replace(/^failed: /, "not so: "))));
    });
    const server = told.length
      ? make("div", { class: "checks" }, make("h4", {}, "What the server checked and did"), make("ul", {}, told))
      : make("div", { class: "checks" }, make("h4", {}, "What the server checked and did"), make("p", {}, "Nothing: this is open to everyone."));
    const link = step.link ? make("p", {}, make("a", { href: step.link(this.known), target: "_blank" }, "See this page as people do (opens a new tab)")) : [];
    const kind = isRefused(answer) && !step.isFine ? "answer bad" : "answer";
    inside.querySelector(".small")?.remove();
    const shown = message("Answer", answerText(answer), way({ from: step.to, to: step.from }), kind);
    inside.querySelector(".do").replaceWith(
      make("div", { class: "both" }, make("div", {}, inside.querySelector("figure"), shown), server),
      make("p", { class: "after" }, step.after), link);
  }

  complain({ inside }) {
    inside.querySelector(".notice")?.remove();
    const words = inside.querySelector(".do")
      ? "The server does not answer. Make sure that it is running, then press the button again."
      : "This is not the answer that the story needs, so it cannot go on. Perhaps the server was restarted, or has had too many wrong guesses. Wait a minute, then begin again.";
    inside.append(make("p", { class: "notice", role: "alert" }, words));
  }
}

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const way = ({ from, to }) => `${ACTORS[from].name} → ${ACTORS[to].name}`;

function message(kind, text, who, look = "request") {
  return make("figure", { class: look }, make("figcaption", {}, make("strong", {}, kind), " ", who), make("pre", { tabindex: "0" }, text));
}

function facts(rows) {
  return make("dl", { class: "facts" }, rows.map(([name, value, what]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, make("code", {}, value), make("span", {}, what)))));
}

// The steps that the tour takes by itself, folded away.
function taken(elements) {
  if (!elements.length) return [];
  const words = `The tour has taken steps 1 to ${elements.length} for you`;
  return [make("li", { class: "taken" }, make("details", {}, make("summary", {}, words), make("ol", { class: "steps" }, elements)))];
}

// A finished step takes one line, and can be opened again.
function fold({ heading, inside, element }) {
  if (inside.parentElement !== element) return;
  const details = make("details", {}, make("summary", {}, "What was sent and answered"));
  inside.before(details);
  details.append(inside);
}

function ending() {
  const [chapter, story] = where();
  const others = chapter.stories.filter((other) => other !== story);
  const next = CHAPTERS[CHAPTERS.indexOf(chapter) + 1];
  return make("section", { class: "ending" }, make("h3", {}, "That is the whole story"),
    make("p", {}, story.id ? "Nothing that you broke here stays broken: each story begins with its own codes and tokens." : "Now try what can go wrong:"),
    make("ul", {}, others.map((other) => make("li", {}, make("a", { href: address(chapter, other) }, other.name)))),
    next ? make("p", {}, "Or go on with the next grant: ", make("a", { href: address(next, next.stories[0]) }, next.name), ".") : []);
}

const address = (chapter, story) => `#${chapter.id}${story.id ? `/${story.id}` : ""}`;

function where() {
  const [chapterId, storyId = ""] = location.hash.slice(1).split("/");
  const chapter = CHAPTERS.find(({ id }) => id === chapterId) ?? CHAPTERS[0];
  return [chapter, chapter.stories.find(({ id }) => id === storyId) ?? chapter.stories[0]];
}

function link(text, href, current) {
  return make("a", { href, "aria-current": current ? "true" : undefined }, text);
}

function chapters(current) {
  const links = CHAPTERS.map((chapter) => make("li", {}, link(chapter.name, address(chapter, chapter.stories[0]), chapter === current)));
  document.getElementById("chapters").replaceChildren(make("ul", {}, links));
}

async function tell(focus) {
  const [chapter, story] = where();
  chapters(chapter);
  const telling = new Telling(chapter, story);
  const heading = make("h2", { tabindex: "-1" }, chapter.name);
  const choices = chapter.stories.map((other) => make("li", { class: other.id ? "wrong" : "right" },
    link(other.name, address(chapter, other), other === story)));
  const who = chapter.actors.map((actor) => make("li", {}, make("strong", {}, ACTORS[actor].name), `: ${ACTORS[actor].long}`));
  document.getElementById("story").replaceChildren(
    make("div", { class: "lead" }, heading, make("p", {}, chapter.lead),
      make("nav", { class: "stories", "aria-label": "What happens" }, make("ul", {}, choices)),
      story.lead ? make("p", { class: "storylead" }, story.lead) : []),
    make("div", { class: "stage" },
      make("div", { class: "beside" }, telling.picture, make("details", { class: "who", open: matchMedia("(min-width: 60rem)").matches }, make("summary", {}, "Who is who"), make("ul", {}, who)),
        make("p", {}, make("button", { class: "quiet", onclick: () => tell(true) }, "Begin again"))),
      make("div", { class: "told" }, telling.list, telling.status)));
  document.title = `${chapter.name}: OAuth, message by message`;
  if (focus) heading.focus();
  await telling.open();
  // Unless another story has been begun.
  for (let n = 0; n < (story.sent ?? 0) && telling.list.isConnected; n++) await telling.take(true);
}

// Whoever pressed Allow on the real page, in its own tab, comes back here.
function returned() {
  const parameters = [...new URLSearchParams(location.search)];
  document.getElementById("story").replaceChildren(make("div", { class: "lead" },
    make("h2", {}, "You are back at the app"),
    make("p", {}, "This is the tour's redirect URI. Your browser has brought these values to the app, in the address of this page:"),
    facts(parameters.map(([name, value]) => [name, value, ""])),
    make("p", {}, "An app compares state and iss, and trades the code within a minute. You can close this tab and continue the tour, or ",
      make("a", { href: "/tour" }, "begin it"), ".")));
}

if (location.pathname.endsWith("/callback")) {
  chapters();
  returned();
} else {
  addEventListener("hashchange", () => tell(true));
  tell(false);
}
