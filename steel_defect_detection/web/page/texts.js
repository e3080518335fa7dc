// Texts in the language of the browser, or the one that was chosen; nothing of it is kept.

const known = { all: {}, language: "en" };

export async function texts() {
  known.all = await (await fetch("texts.json", { credentials: "omit" })).json();
  const wished = navigator.languages.map((name) => name.slice(0, 2)).find((name) => name in known.all);
  setLanguage(wished ?? "en");
}

export function language() {
  return known.language;
}

export function setLanguage(name) {
  known.language = name;
  document.documentElement.lang = name;
}

// A text with values in its {places}; null if there is none of that name.
export function text(name, values = {}) {
  const found = known.all[known.language]?.[name];
  if (found === undefined) return null;
  return found.replace(/\{(\w+)\}/g, (_, place) => {
    const value = values[place];
    return typeof value === "number" ? number(value) : String(value);
  });
}

export function number(value, digits = 0) {
  return new Intl.NumberFormat(known.language, { maximumFractionDigits: digits }).format(value);
}

// A share of 1 in per cent, with more digits the smaller it is.
export function percent(value) {
  const digits = value >= 0.1 || value === 0 ? 0 : value >= 0.01 ? 1 : 2;
  return new Intl.NumberFormat(known.language, { style: "percent", maximumFractionDigits: digits }).format(value);
}

// Two shares in per cent, with as many digits as it takes to tell them apart.
export function apart(one, other) {
  const written = (digits) => [one, other].map((value) => new Intl.NumberFormat(known.language, { style: "percent", maximumFractionDigits: digits }).format(value));
  const digits = [0, 1, 2, 3].find((some) => one === other || written(some)[0] !== written(some)[1]) ?? 4;
  return written(digits);
}

// A text with what no screen shows, or what turns the direction of writing around, written out: \u202e.
export function visible(found) {
  return found.replace(/[\p{C}\p{Z}]/gu, (sign) => {
    if (sign === " ") return sign;
    const code = sign.codePointAt(0);
    const [letter, length] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
    return `\\${letter}${code.toString(16).padStart(length, "0")}`;
  });
}

export function translate() {
  document.title = text("title") ?? "sdd-serve";
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
}
