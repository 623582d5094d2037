// @ts-check
// Page by page through what does not fit.

import { element, fill } from "../core/dom.js";
import { number } from "../core/formats.js";
import { t } from "../core/texts.js";

/** @param {{total: number, offset: number, size: number, turn: (offset: number) => void}} where */
export function pager({ total, offset, size, turn }) {
  if (total <= size && !offset) return null;
  const last = Math.min(offset + size, total);
  return element("div", { class: "row small", role: "group", "aria-label": t("pager.title") },
    element("button", { type: "button", class: "small", disabled: offset === 0, click: () => turn(Math.max(0, offset - size)) }, t("pager.before")),
    element("span", { class: "muted" }, t("pager.range", { from: number(offset + 1), to: number(last), total: number(total) })),
    element("button", { type: "button", class: "small", disabled: last >= total, click: () => turn(offset + size) }, t("pager.after")));
}

/** A list that is all there, some of it at a time. @param {any[]} items @param {number} size @param {(item: any) => any} show */
export function paged(items, size, show) {
  const holder = element("div", { class: "stack" });
  const turn = (/** @type {number} */ offset) => {
    fill(holder, element("div", {}, items.slice(offset, offset + size).map(show)), pager({ total: items.length, offset, size, turn }));
  };
  turn(0);
  return holder;
}
