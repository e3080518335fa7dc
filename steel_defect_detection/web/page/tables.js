// Tables (CSV) of all answers: as sdd-predict's predictions.csv, and one row per image for people.

// Run lengths of each class that was found.
export function runLengths(items, model) {
  const rows = [["ImageId", "ClassId", "EncodedPixels"]];
  for (const item of items) {
    for (const one of model.classes) {
      const runs = item.answer?.defects[one.name]?.runs;
      if (runs) rows.push([item.file.name, one.number, runs]);
    }
  }
  return lines(rows);
}

// One row per image. Words and numbers are those of the interface, whatever the page's language.
export function table(items, model) {
  const names = model.classes.map((one) => one.name);
  const facts = ["verdict", "class", "gate_probability", "certainty", "familiarity"];
  const scores = names.map((name) => `score_${name}`);
  const areas = model.outlines ? names.map((name) => `area_${name}`) : [];
  const rows = [["file", ...facts, ...scores, ...areas, "error"]];
  for (const { file, answer, problem } of items) {
    if (!answer && !problem) continue;
    rows.push([
      file.name,
      ...facts.map((fact) => (answer ? answer[fact] : fact === "verdict" ? "error" : null)),
      ...names.map((name) => answer?.scores[name]),
      ...areas.map((_, place) => (answer ? answer.defects[names[place]]?.area ?? 0 : null)),
      problem ? problem.message ?? problem.code : null,
    ]);
  }
  return lines(rows);
}

function lines(rows) {
  return rows.map((row) => row.map(cell).join(",") + "\r\n").join("");
}

// A cell as RFC 4180 has it. A text that a spreadsheet would take for a formula gets a ' before it.
export function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(Number(value.toPrecision(6)));
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
