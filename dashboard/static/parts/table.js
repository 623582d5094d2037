// @ts-check
// Tables: one tab stop each, Enter opens a row.

import { element } from "../core/dom.js";
import { roving } from "./roving.js";

/**
 * @typedef {{label: string, className?: string, hide?: boolean, show: (row: any) => any}} Column
 *   `hide`: the label is for screen readers only; a class `wide` leaves the column out on narrow screens
 * @param {{caption: string, columns: Column[], rows: any[], open?: (row: any) => void, current?: (row: any) => boolean,
 *   key?: (row: any) => any}} what
 */
export function table({ caption, columns, rows, open, current, key }) {
  const head = columns.map(({ label, className = "", hide }) =>
    element("th", { scope: "col", class: className }, hide ? element("span", { class: "hidden-text" }, label) : label));
  const body = element("tbody", {}, rows.map((row) => line(columns, row, open, current, key)));
  const made = element("table", { "aria-label": caption }, element("thead", {}, element("tr", {}, head)), body);
  roving(body, "tr");
  return made;
}

/** @param {Column[]} columns @param {any} row @param {any} open @param {any} current @param {any} key */
export function line(columns, row, open, current, key) {
  const cells = columns.map(({ className = "", show }) => element("td", { class: className }, show(row)));
  const node = element("tr", { class: open && "opens", "data-key": key?.(row), tabindex: -1 }, cells);
  if (current?.(row)) node.setAttribute("aria-current", "true");
  if (open) {
    node.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      if (!(/** @type {Element} */ (event.target)).closest("a, button, input, label")) open(row);
    });
    node.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter" && event.target === node) open(row);
    });
  }
  return node;
}
