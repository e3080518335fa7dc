// One image's card: its verdict, the picture with outlines, numbers and downloads.

import { apart, number, percent, text, visible } from "./texts.js";

const SIGNS = { clean: "✓", defect: "!", unfamiliar: "?", error: "✕", waiting: "…" };
const RIM = "#141414";
const LOWEST = 160;

// By whether the threshold is reached, whether the model outlines, and the verdict.
const WHY = {
  "false true clean": "why_below",
  "false false clean": "why_below",
  "true true clean": "why_nothing_outlined",
  "true true defect": "why_outlined",
  "true false defect": "why_named",
};

// Fill an item's element anew.
export function card(item, { model, hidden, problem, saveMask, saveOverlay }) {
  const verdict = item.answer?.verdict ?? (item.problem ? "error" : "waiting");
  const parts = [title(item, verdict)];
  if (problem) parts.push(element("p", { class: "warning" }, problem));
  if (item.answer) {
    if (verdict === "unfamiliar") parts.push(element("p", { class: "warning" }, text("unfamiliar_warning")));
    parts.push(picture(item, model), facts(item.answer));
    const why = reason(item.answer, model);
    if (why) parts.push(element("p", { class: "small why" }, why));
    if (Object.keys(item.answer.defects).length) parts.push(defects(item.answer, model));
    parts.push(downloads(item.answer, saveMask, saveOverlay));
  }
  item.element.replaceChildren(...parts);
  draw(item, hidden);
  slideToDefect(item);
}

// Show or hide the outlines of classes.
export function draw(item, hidden) {
  for (const group of item.element.querySelectorAll("[data-class]")) {
    group.style.display = hidden.has(group.dataset.class) ? "none" : "";
  }
}

// On a narrow screen a strip is wider than what is seen of it: begin where something was found.
function slideToDefect(item) {
  const frame = item.element.querySelector(".picture");
  const widest = Object.values(item.answer?.defects ?? {}).flatMap((one) => one.outlines ?? []).reduce(wider, null);
  if (!frame || !widest) return;
  const middle = widest.reduce((sum, [x]) => sum + x, 0) / widest.length / item.answer.width;
  frame.scrollLeft = middle * frame.scrollWidth - frame.clientWidth / 2;
}

function wider(best, line) {
  return best && extent(best) >= extent(line) ? best : line;
}

function title(item, verdict) {
  const sign = element("span", { "aria-hidden": "true" }, `${SIGNS[verdict]} `);
  const badge = element("span", { class: `verdict ${verdict}` }, sign, text(verdict));
  const name = item.answer?.class ? element("strong", {}, visible(item.answer.class)) : "";
  return element("div", { class: "title" }, element("h2", {}, visible(item.file.name)), badge, name);
}

function picture(item, model) {
  const { width, height } = item.answer;
  const label = text("picture", { name: visible(item.file.name), width, height });
  const drawing = vector("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  drawing.style.minWidth = `${Math.min(Math.round((LOWEST * width) / height), 4 * LOWEST * 2)}px`;
  const image = vector("image", { width, height, preserveAspectRatio: "none", href: item.address });
  drawing.append(image);
  for (const one of model.classes) {
    const lines = item.answer.defects[one.name]?.outlines;
    if (lines?.length) drawing.append(outlined(one, lines, height));
  }
  if (width / height < 1.5) drawing.style.minWidth = "";
  return element("div", { class: "picture", tabindex: "0", role: "group", "aria-label": label }, drawing);
}

function outlined(one, lines, height) {
  const way = lines.map((line) => `M${line.map(([x, y]) => `${x + 0.5} ${y + 0.5}`).join("L")}Z`).join("");
  const group = vector("g", { "data-class": one.name });
  const line = { d: way, fill: "none", "stroke-linejoin": "round", "vector-effect": "non-scaling-stroke" };
  const size = Math.max(height / 9, 8);
  const longest = lines.reduce(wider, null);
  const left = Math.min(...longest.map(([x]) => x));
  const top = Math.min(...longest.map(([, y]) => y));
  group.append(
    vector("path", { ...line, stroke: RIM, "stroke-width": 4 }),
    vector("path", { ...line, stroke: one.color, "stroke-width": 2 }),
    vector(
      "text",
      { x: left, y: top > 1.3 * size ? top - 0.3 * size : top + 1.2 * size, fill: one.color, stroke: RIM, "stroke-width": size / 6, "font-size": size },
      visible(one.name),
    ),
  );
  return group;
}

function extent(line) {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const [x, y] of line) {
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  }
  return right - left + bottom - top;
}

function facts(answer) {
  const list = element("dl", { class: "facts" });
  for (const name of ["gate_probability", "certainty", "familiarity"]) {
    if (answer[name] === null) continue;
    list.append(element("div", {}, element("dt", {}, text(name)), element("dd", {}, percent(answer[name]))));
  }
  return list;
}

// What the verdict rests on: the probability of any defect, beside the threshold it was compared with.
function reason(answer, model) {
  const { gate_probability: found, familiarity, verdict } = answer;
  const least = model.thresholds.familiarity;
  if (familiarity !== null && familiarity < least) return text("why_unfamiliar", values(familiarity, least));
  const threshold = gateThreshold(model);
  if (found === null || threshold === null) return null;
  const name = WHY[`${found >= threshold} ${model.outlines} ${verdict}`];
  return name ? text(name, values(found, threshold)) : null;
}

function values(found, limit) {
  const [probability, threshold] = apart(found, limit);
  return { probability, threshold };
}

// A classifier has one only where one of its classes means "free of defects".
function gateThreshold(model) {
  if (model.architecture === "segmenter") return null;
  return model.architecture === "classifier" ? model.thresholds.defect : model.thresholds.gate;
}

function defects(answer, model) {
  const found = model.classes.filter((one) => one.name in answer.defects);
  const columns = model.outlines ? ["area", "share", "pieces", "score"] : ["score"];
  const show = { area: number, share: percent, pieces: number, score: percent };
  const head = ["class", ...columns].map((name) => element("th", { scope: "col" }, text(name)));
  const rows = found.map((one) => {
    const swatch = element("span", { class: "swatch" });
    swatch.style.background = one.color;
    const cells = columns.map((name) => element("td", { "data-label": text(name) }, show[name](answer.defects[one.name][name])));
    return element("tr", {}, element("th", { scope: "row" }, swatch, visible(one.name)), ...cells);
  });
  const table = element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
  return element("div", { class: "scroll" }, table);
}

function downloads(answer, saveMask, saveOverlay) {
  const buttons = element("div", { class: "buttons" });
  if (answer.mask) buttons.append(button("save_mask", saveMask));
  buttons.append(button("save_overlay", saveOverlay));
  return buttons;
}

function button(name, action) {
  const made = element("button", { type: "button" }, text(name));
  made.addEventListener("click", async () => {
    made.disabled = true;
    await action();
    made.disabled = false;
    made.focus();
  });
  return made;
}

// Texts become text nodes: nothing that came from elsewhere is read as HTML.
function element(kind, attributes, ...children) {
  return fill(document.createElement(kind), attributes, children);
}

function vector(kind, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", kind), attributes, children);
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
