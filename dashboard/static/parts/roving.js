// @ts-check
// One tab stop for a whole list: arrows, Home and End go through its rows, and right and left through a row's controls.

const CONTROLS = "a[href], button, input, select";

/** @param {HTMLElement} holder @param {string} rows a selector */
export function roving(holder, rows) {
  const all = () => /** @type {HTMLElement[]} */ ([...holder.querySelectorAll(rows)]);
  const settle = () => {
    const list = all();
    const stop = list.find((row) => row.getAttribute("aria-current") === "true") ?? list[0];
    for (const row of list) {
      row.tabIndex = row === stop ? 0 : -1;
      for (const control of row.querySelectorAll(CONTROLS)) /** @type {HTMLElement} */ (control).tabIndex = -1;
    }
  };
  settle();
  holder.addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    const row = /** @type {HTMLElement | null} */ (target.closest(rows));
    if (!row || event.altKey || event.ctrlKey || event.metaKey || target instanceof HTMLSelectElement) return;
    const next = row === target && event.key === "ArrowRight" ? controls(row)[0]
      : row !== target ? beside(row, target, event.key) : null;
    const found = next ?? along(all(), row, event.key);
    if (!found) return;
    event.preventDefault();
    event.stopPropagation();
    if (found.matches(rows)) for (const each of all()) each.tabIndex = each === found ? 0 : -1;
    found.focus();
  });
  return settle;
}

/** @param {HTMLElement} row */
const controls = (row) => /** @type {HTMLElement[]} */ ([...row.querySelectorAll(CONTROLS)]);

/** @param {HTMLElement} row @param {HTMLElement} from @param {string} key */
function beside(row, from, key) {
  const list = controls(row);
  const index = list.indexOf(from);
  if (key === "ArrowRight") return list[index + 1] ?? from;
  if (key === "ArrowLeft") return index <= 0 ? row : list[index - 1];
  return key === "Escape" ? row : null;
}

/** @param {HTMLElement[]} list @param {HTMLElement} row @param {string} key */
function along(list, row, key) {
  const index = list.indexOf(row);
  /** @type {Record<string, number>} */
  const places = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: list.length - 1, PageDown: index + 10, PageUp: index - 10 };
  if (!(key in places)) return null;
  return list[Math.max(0, Math.min(list.length - 1, places[key]))];
}
