// Brings a story to life: its steps below each other, each with its message, the answer as it came
// and the server's own steps.

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

// A citation as a link to where it stands; the browser goes there only when it is pressed.
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
    // One field a step; a browser puts them into one text, and each ends with its section.
    steps: (value("Explain") ?? "").split(/(?<=\([^()]*(?:section|appendix) [\w.]+\)), /).filter(Boolean),
  };
}

function answerText({ status, fields, body }) {
  const isPage = body.includes("<main>");
  const shown = isPage ? `(the page; this is its middle)\n${body.split("<main>")[1].split("</main>")[0].trim()}` : body;
  return `HTTP/1.1 ${status} ${REASONS[status] ?? ""}\n${fields.join("\n")}${shown ? `\n\n${shown}` : ""}`;
}

const isRefused = (answer) => answer.status >= 400 || Boolean(answer.location?.searchParams.has("error"));

// One story as it is being told: what is known, and how far it is.
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

  // Shows the step whose turn it is: what will be sent, and the button that sends it.
  async open() {
    const step = this.story.steps[this.place], { element, inside } = this.items[this.place];
    await step.prepare?.(this.known);
    element.className = "step now";
    const text = make("p", {}, step.text);
    const label = step.button ?? (step.request ? "Send this message" : "Go on");
    const button = make("button", { class: "send", onclick: () => this.take() }, label);
    const shown = step.request
      ? message("Request", requestText(step.request(this.known)), way(step))
      : facts(step.facts(this.known));
    const small = make("div", { class: "picture small", "aria-hidden": "true" });
    inside.replaceChildren(text, small, shown, make("p", { class: "do" }, button));
    this.draw();
    if (small.clientWidth) draw(small, { actors: this.story.actors, steps: [step] }, ["now"], this.place);
  }

  // Takes the step whose turn it is, and opens the next.
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
      : make("div", { class: "checks" }, make("h4", {}, "What the server checked and did"), make("p", {}, "Nothing: this is for everyone."));
    const link = step.link ? make("p", {}, make("a", { href: step.link(this.known), target: "_blank" }, "See this page as people do (a new tab)")) : [];
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
      ? "The server does not answer. Does it still run? Then press the button once more."
      : "This is not the answer that the story needs, so it cannot go on. Has the server been started anew, or has it had too many wrong guesses? Wait a minute, then begin again.";
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

// The steps that the tour takes by itself, out of the way.
function taken(elements) {
  if (!elements.length) return [];
  const words = `Steps 1 to ${elements.length} are taken for you, to get here`;
  return [make("li", { class: "taken" }, make("details", {}, make("summary", {}, words), make("ol", { class: "steps" }, elements)))];
}

// A step that is over takes a line, and opens again when it is wanted.
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
  return make("section", { class: "ending" }, make("h3", {}, "That was all of it"),
    make("p", {}, story.id ? "Nothing that you broke here is broken for good: each story begins with codes and tokens of its own." : "Now break it:"),
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
  // Until another story is begun.
  for (let n = 0; n < (story.sent ?? 0) && telling.list.isConnected; n++) await telling.take(true);
}

// A person who pressed Allow on the real page, in a tab of its own, comes back here.
function returned() {
  const parameters = [...new URLSearchParams(location.search)];
  document.getElementById("story").replaceChildren(make("div", { class: "lead" },
    make("h2", {}, "You are back at the app"),
    make("p", {}, "This is the tour's redirect URI. Your browser has brought these to the app, in the address of this page:"),
    facts(parameters.map(([name, value]) => [name, value, ""])),
    make("p", {}, "An app compares state and iss, and trades the code within a minute. You can close this tab and go on with the tour, or ",
      make("a", { href: "/tour" }, "begin it"), ".")));
}

if (location.pathname.endsWith("/callback")) {
  chapters();
  returned();
} else {
  addEventListener("hashchange", () => tell(true));
  tell(false);
}
