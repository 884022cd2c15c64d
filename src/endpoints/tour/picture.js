// The picture of a story: who takes part, from left to right, and the messages between them from
// top to bottom. It is redrawn for the space that there is, so that its words stay readable.

const SVG = "http://www.w3.org/2000/svg";

function shape(parent, name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

// Each actor as a few strokes in a square of 24.
const ICONS = {
  browser: "M3 5h18v14H3z M3 9h18 M6 7h.1 M8.5 7h.1",
  device: "M3 4h18v12H3z M8 20h8 M12 16v4",
  app: "M7 2h10v20H7z M11 19h2",
  server: "M4 3h16v7H4z M4 14h16v7H4z M7.5 6.5h.1 M7.5 17.5h.1",
  api: "M6 11h12v10H6z M8.5 11V7.5a3.5 3.5 0 0 1 7 0V11 M12 15v2.5",
};

// `marks` has a word for each step: next, now, done or bad. The number of the first step is `before`
// plus one.
function draw(box, story, marks, before = 0) {
  const { actors, steps } = story;
  const width = Math.max(box.clientWidth, 200), em = parseFloat(getComputedStyle(box).fontSize);
  const column = width / actors.length, at = (actor) => column * (actors.indexOf(actor) + 0.5);
  const longest = Math.max(...actors.map((actor) => ACTORS[actor].name.length));
  const font = Math.min(em, column / (0.62 * longest)), icon = Math.min(2.25 * em, column * 0.6);
  const top = icon + 1.75 * font, row = 2.5 * font, height = top + row * steps.length + 0.5 * font;
  const svg = document.createElementNS(SVG, "svg");
  const set = { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "font-size": font };
  for (const [key, value] of Object.entries(set)) svg.setAttribute(key, value);
  svg.setAttribute("aria-label", spoken(story, marks));
  for (const actor of actors) {
    const scale = icon / 24, x = at(actor), now = marks.indexOf("now");
    const talks = now >= 0 && [steps[now].from, steps[now].to].includes(actor);
    const group = shape(svg, "g", { class: talks ? "actor talks" : "actor" });
    shape(group, "path", { d: ICONS[actor], transform: `translate(${x - icon / 2} 0) scale(${scale})`, "stroke-width": 1.75 });
    shape(group, "text", { x, y: icon + 1.1 * font, "text-anchor": "middle" }, ACTORS[actor].name);
    shape(group, "line", { x1: x, x2: x, y1: top - 0.25 * font, y2: height, class: "life" });
  }
  steps.forEach((step, place) => arrow(svg, step, { number: before + place + 1, mark: marks[place], font, at, y: top + row * (place + 0.55) }));
  box.replaceChildren(svg);
}

function arrow(svg, step, { number, mark, font, at, y }) {
  const group = shape(svg, "g", { class: `message ${mark}` });
  const from = at(step.from), to = step.to ? at(step.to) : from, way = Math.sign(to - from), r = 0.72 * font;
  if (way) {
    const tip = to - way * 2, back = tip - way * 0.6 * font, start = from + way * r;
    shape(group, "line", { x1: start, x2: back, y1: y, y2: y });
    shape(group, "path", { d: `M${tip} ${y} L${back} ${y - 0.35 * font} L${back} ${y + 0.35 * font} z`, class: "tip" });
    if (step.request && (mark === "done" || mark === "bad")) {
      shape(group, "line", { x1: start + way * 0.2 * font, x2: to - way * 2, y1: y + 0.5 * font, y2: y + 0.5 * font, class: "answer" });
    }
  }
  shape(group, "circle", { cx: from, cy: y, r });
  shape(group, "text", { x: from, y: y + 0.3 * font, "text-anchor": "middle", "font-size": 0.85 * font }, mark === "bad" ? "✗" : number);
}

// The same in words, for screen readers.
function spoken(story, marks) {
  const now = marks.indexOf("now"), step = story.steps[now];
  if (!step) return `All ${story.steps.length} steps are done.`;
  const way = step.to ? `from ${ACTORS[step.from].name} to ${ACTORS[step.to].name}` : `at ${ACTORS[step.from].name}`;
  return `Step ${now + 1} of ${story.steps.length}, ${way}: ${step.title}.`;
}
