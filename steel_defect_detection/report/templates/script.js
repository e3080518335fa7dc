"use strict";
// The page is complete without this: it sorts tables when the title of a column is pressed.
function valueOf(row, place) {
  const text = row.cells[place].textContent.trim();
  const number = parseFloat(text.replaceAll(",", ""));
  return [text, number];
}
function compared(first, second) {
  const [firstText, firstNumber] = first;
  const [secondText, secondNumber] = second;
  if (Number.isNaN(firstNumber) !== Number.isNaN(secondNumber)) {
    return Number.isNaN(firstNumber) ? 1 : -1;
  }
  return firstNumber - secondNumber || firstText.localeCompare(secondText);
}
function sort(table, title) {
  const place = title.cellIndex;
  const isNumber = title.classList.contains("number");
  const wasDown = title.getAttribute("aria-sort") === "descending";
  const isDown = title.hasAttribute("aria-sort") ? !wasDown : isNumber;
  const rows = Array.from(table.tBodies[0].rows, (row) => [valueOf(row, place), row]);
  rows.sort((first, second) => {
    if (!isNumber) {
      return first[0][0].localeCompare(second[0][0], "en", { numeric: true }) * (isDown ? -1 : 1);
    }
    // What is not known stays below, whichever way the numbers run.
    const areNumbers = !Number.isNaN(first[0][1]) && !Number.isNaN(second[0][1]);
    return compared(first[0], second[0]) * (isDown && areNumbers ? -1 : 1);
  });
  table.tHead.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
  title.setAttribute("aria-sort", isDown ? "descending" : "ascending");
  table.tBodies[0].append(...rows.map(([, row]) => row));
}
document.querySelectorAll("table.sortable").forEach((table) => {
  table.tHead.querySelectorAll("th").forEach((title) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = title.textContent;
    title.replaceChildren(button);
    button.addEventListener("click", () => sort(table, title));
  });
});
