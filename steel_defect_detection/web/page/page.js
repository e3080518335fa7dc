// The page: takes files, sends them one by one, and shows what comes back.

import { card, draw } from "./results.js";
import { runLengths, table } from "./tables.js";
import { save } from "./saving.js";
import { language, setLanguage, text, texts, translate, visible } from "./texts.js";

const SENT_AT_ONCE = 2;
const MOST_TRIES = 30;
const SHOWN_BY_BROWSERS = /\.(png|jpe?g|bmp|webp)$/i;

const at = (id) => document.getElementById(id);
const state = { model: null, token: "", items: [], waiting: [], sending: 0, stop: new AbortController(), hidden: new Set(), busy: 0, early: [] };

start();

async function start() {
  at("choose").addEventListener("click", () => at("files").click());
  at("files").addEventListener("change", () => { add(at("files").files); at("files").value = ""; });
  at("clear").addEventListener("click", clear);
  at("save-table").addEventListener("click", () => save(table(state.items, state.model), "text/csv", "images.csv"));
  at("save-runs").addEventListener("click", () => save(runLengths(state.items, state.model), "text/csv", "predictions.csv"));
  at("sign-in").addEventListener("submit", signIn);
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => { setLanguage(button.dataset.language); show(); });
  }
  takeDrops();
  await texts();
  show();
  await readModel();
}

async function readModel() {
  const answer = await ask("model").catch(() => null);
  if (answer?.status === 401) {
    at("sign-in").hidden = false;
    at("drop").hidden = true;
    at("token-wrong").hidden = !state.token;
    at("token").select();
    return;
  }
  if (!answer?.ok) {
    at("model").textContent = text("problem_unreachable");
    return;
  }
  state.model = await answer.json();
  describe(state.model.card);
  at("drop").hidden = false;
  if (!at("sign-in").hidden) at("choose").focus();
  at("sign-in").hidden = true;
  show();
  add(state.early.splice(0));
}

function describe(card) {
  const words = [card.description, card.limits, card.measured].filter(Boolean);
  at("about").hidden = !words.length;
  at("about").querySelector("div").replaceChildren(...words.map((word) => {
    const paragraph = document.createElement("p");
    paragraph.textContent = word;
    return paragraph;
  }));
}

function signIn(event) {
  event.preventDefault();
  state.token = at("token").value;
  readModel();
}

function ask(path, settings = {}) {
  // Other letters cannot stand in a header, and in no token.
  const token = state.token.replace(/[^\x21-\x7e]/g, "");
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  return fetch(path, { ...settings, headers, credentials: "omit" });
}

function takeDrops() {
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => { event.preventDefault(); at("drop").classList.add("over"); });
  }
  for (const kind of ["dragleave", "drop"]) {
    document.addEventListener(kind, (event) => { event.preventDefault(); at("drop").classList.remove("over"); });
  }
  document.addEventListener("drop", (event) => add(event.dataTransfer.files));
}

function add(files) {
  if (!state.model) {
    state.early.push(...files);
    return;
  }
  for (const file of files) {
    const item = { file, address: null, answer: null, problem: null, element: document.createElement("li") };
    at("results").append(item.element);
    state.items.push(item);
    state.waiting.push(item);
    redraw(item);
  }
  show();
  while (state.sending < SENT_AT_ONCE && state.waiting.length) sendNext(state.stop.signal);
}

async function sendNext(signal) {
  state.sending += 1;
  while (state.waiting.length && !signal.aborted) {
    const item = state.waiting.shift();
    await judge(item, signal);
    if (signal.aborted) break;
    redraw(item);
    show();
  }
  if (!signal.aborted) state.sending -= 1;
}

async function judge(item, signal) {
  if (item.file.size > state.model.limits.max_bytes - 1000) {
    item.problem = { code: "too_many_bytes" };
    return;
  }
  const include = ["outlines", "mask"];
  const isShown = SHOWN_BY_BROWSERS.test(item.file.name);
  if (!isShown) include.push("preview");
  const found = await sent(item.file, include, signal);
  item.problem = found.problem ?? found.image.error;
  item.answer = item.problem ? null : found.image;
  if (item.answer) item.address = isShown ? URL.createObjectURL(item.file) : item.answer.preview;
}

// What the server says of one file: {image} or {problem}.
async function sent(file, include, signal) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    return { problem: { code: "unreadable" } };
  }
  const query = new URLSearchParams(include.map((word) => ["include", word]));
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const form = new FormData();
    form.append("images", file);
    let answer, content;
    try {
      answer = await ask(`predict?${query}`, { method: "POST", body: form, signal });
      content = await answer.json();
    } catch {
      return { problem: { code: "unreachable" } };
    }
    if (answer.status !== 503) return content.images ? { image: content.images[0] } : { problem: content.error };
    await wait(Number(answer.headers.get("Retry-After")) || 2, signal);
  }
  return { problem: { code: "overloaded" } };
}

async function wait(seconds, signal) {
  state.busy = seconds;
  show();
  await new Promise((resolve) => { setTimeout(resolve, 1000 * seconds); signal.addEventListener("abort", resolve); });
  state.busy = 0;
}

async function saveOverlay(item) {
  const found = await sent(item.file, ["overlay"], state.stop.signal);
  const problem = found.problem ?? found.image.error;
  if (problem) at("status").textContent = explain(problem);
  else save(found.image.overlay, "image/png", named(item, "overlay"));
}

function named(item, what) {
  return `${visible(item.file.name.replace(/\.[^.]*$/, ""))}-${what}.png`;
}

function clear() {
  state.stop.abort();
  for (const item of state.items) if (item.address?.startsWith("blob:")) URL.revokeObjectURL(item.address);
  Object.assign(state, { items: [], waiting: [], sending: 0, busy: 0, stop: new AbortController() });
  at("results").replaceChildren();
  show();
  at("choose").focus();
}

function redraw(item) {
  card(item, {
    model: state.model,
    hidden: state.hidden,
    problem: item.problem && explain(item.problem),
    saveMask: () => save(item.answer.mask, "image/png", named(item, "mask")),
    saveOverlay: () => saveOverlay(item),
  });
}

function explain(problem) {
  const message = text(`problem_${problem.code}`, sizes());
  const said = visible(problem.message ?? "");
  // In English the server's own words say more: they name the numbers. Of a token they tell programs.
  if (language() === "en" && said && problem.code !== "wrong_token") return said;
  return message ?? text("problem_other", { message: said || problem.code });
}

function sizes() {
  const limits = state.model?.limits ?? { max_bytes: 0, max_pixels: 0 };
  return { megabytes: limits.max_bytes / 1e6, megapixels: limits.max_pixels / 1e6 };
}

// All that is not one image's.
function show() {
  translate();
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language()));
  }
  if (shown.language !== language()) for (const item of state.items) redraw(item);
  shown.language = language();
  if (!state.model) return;
  at("model").textContent = text("model", { name: visible(state.model.name), hash: state.model.sha256.slice(0, 12) });
  at("kinds").textContent = text("kinds", sizes());
  at("bar").hidden = !state.items.length;
  at("status").textContent = statusText();
  at("save-runs").hidden = !state.model.outlines;
  at("classes").hidden = !state.model.outlines;
  if (!at("classes").querySelector("input")) at("classes").append(...state.model.classes.filter((one) => one.is_defect).map(checkbox));
}

const shown = { language: null };

function statusText() {
  const all = state.items.length;
  const finished = state.items.filter((item) => item.answer || item.problem);
  at("progress").max = Math.max(all, 1);
  at("progress").value = finished.length;
  at("progress").hidden = finished.length === all;
  if (finished.length < all) {
    return text(state.busy ? "busy" : "progress", { done: finished.length, all, seconds: state.busy });
  }
  const counts = { all, defect: 0, clean: 0, unfamiliar: 0, error: 0 };
  for (const item of finished) counts[item.answer?.verdict ?? "error"] += 1;
  return text("summary", counts);
}

function checkbox(one) {
  const label = document.createElement("label");
  const box = document.createElement("input");
  const swatch = document.createElement("span");
  box.type = "checkbox";
  box.checked = true;
  box.addEventListener("change", () => {
    if (box.checked) state.hidden.delete(one.name);
    else state.hidden.add(one.name);
    for (const item of state.items) draw(item, state.hidden);
  });
  swatch.className = "swatch";
  swatch.style.background = one.color;
  label.append(box, swatch, visible(one.name));
  return label;
}
