// Tables that can be sorted and filtered, a list of findings that can be searched, and a choice of
// colours. Without this script the page is complete, in its order, in the colours of the system.
"use strict";

const number = (text) => {
  const found = text.replace(/\u2212/g, "-").replace(/[\s\u00a0\u202f]/g, "").match(/-?\d+(\.\d+)?/);
  return found ? Number(found[0]) : null;
};

const words = new Intl.Collator(document.documentElement.lang, { numeric: true }).compare;

// What cannot be compared stands last, whichever way the rest is sorted.
const sorted = (rows, column, isNumber, sign) => {
  const key = (row) => {
    const cell = row.cells[column];
    const text = cell.textContent.trim();
    if (cell.dataset.rank !== undefined) return Number(cell.dataset.rank);
    return isNumber ? number(text) : text || null;
  };
  const keys = new Map(rows.map((row) => [row, key(row)]));
  return [...rows].sort((a, b) => {
    const [x, y] = [keys.get(a), keys.get(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (typeof x === "number" ? x - y : words(x, y));
  });
};

const makeSortable = (table) => {
  const headings = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const isNumber = heading.classList.contains("num");
      body.append(...sorted([...body.rows], column, isNumber, down ? -1 : 1));
    });
  });
};

const holds = (row, wanted) => row.textContent.toLowerCase().includes(wanted.trim().toLowerCase());

const makeFilter = (table) => {
  const field = document.createElement("input");
  field.type = "search";
  field.className = "filter";
  field.placeholder = table.dataset.filter;
  field.setAttribute("aria-label", table.dataset.filter);
  field.addEventListener("input", () => {
    for (const row of table.tBodies[0].rows) row.hidden = !holds(row, field.value);
  });
  table.parentElement.before(field);
};

const makeControls = (section) => {
  const controls = section.querySelector(".controls");
  if (!controls) return;
  const one = (name) => controls.querySelector(name);
  const [search, severity, audit] = ["[data-search]", "[data-severity]", "[data-audit]"].map(one);
  const rows = [...section.querySelector("table").tBodies[0].rows];
  const update = () => {
    const checked = [...controls.querySelectorAll("[data-verdict]:checked")];
    const verdicts = new Set(checked.map((box) => box.dataset.verdict));
    for (const row of rows) {
      row.hidden = !(
        verdicts.has(row.dataset.verdict) &&
        [row.dataset.severity, ""].includes(severity.value) &&
        [row.dataset.audit, ""].includes(audit.value) &&
        holds(row, search.value)
      );
    }
    const shown = rows.filter((row) => !row.hidden).length;
    one(".shown").textContent = `${shown} of ${rows.length} findings shown`;
  };
  controls.addEventListener("input", update);
  controls.hidden = false;
  update();
};

// Follows the system until somebody chooses; the choice lasts as long as the page is open.
const makeColours = () => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Dark";
  const isDark = () => (root.dataset.colours ?? (system.matches ? "dark" : "light")) === "dark";
  const show = () => button.setAttribute("aria-pressed", String(isDark()));
  button.addEventListener("click", () => {
    root.dataset.colours = isDark() ? "light" : "dark";
    show();
  });
  system.addEventListener("change", show);
  show();
  let tools = document.querySelector(".tools");
  if (!tools) {
    tools = document.createElement("div");
    tools.className = "tools";
    document.querySelector(".skip").after(tools);
  }
  tools.append(button);
};

// What is wider or higher than its place can be scrolled by the keyboard as well.
const makeReachable = () => {
  for (const each of document.querySelectorAll(".chart, pre")) {
    const scrolls = each.scrollWidth > each.clientWidth || each.scrollHeight > each.clientHeight;
    if (scrolls) each.tabIndex = 0;
    else each.removeAttribute("tabindex");
  }
};

// Print shows every row, in the order of the page, however the screen was left.
const makePrintable = (tables) => {
  const order = new Map(tables.map((table) => [table, [...table.tBodies[0].rows]]));
  let left = [];
  addEventListener("beforeprint", () => {
    left = tables.map((table) => [...table.tBodies[0].rows].map((row) => [row, row.hidden]));
    for (const [table, rows] of order) table.tBodies[0].append(...rows);
    for (const rows of order.values()) for (const row of rows) row.hidden = false;
  });
  addEventListener("afterprint", () => {
    left.forEach((rows, index) => {
      tables[index].tBodies[0].append(...rows.map(([row]) => row));
      for (const [row, hidden] of rows) row.hidden = hidden;
    });
  });
};

const tables = [...document.querySelectorAll("table[data-sortable]")];
makePrintable(tables);
tables.forEach(makeSortable);
tables.filter((table) => table.dataset.filter).forEach(makeFilter);
document.querySelectorAll(".findings").forEach(makeControls);
makeColours();
makeReachable();
addEventListener("resize", makeReachable);
