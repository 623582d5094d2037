// @ts-check
// What a page says where its address asks for an earlier moment, and what cannot be done there.

import { element } from "../core/dom.js";
import { moment, number } from "../core/formats.js";
import { go, here, to } from "../core/router.js";
import { t } from "../core/texts.js";
import { note } from "./states.js";

/** The same place without its moment. */
export function toPresent() {
  const { path, query } = here();
  query.delete("at");
  const rest = query.toString();
  go(to(path) + (rest ? `?${rest}` : ""));
}

const back = () => element("button", { type: "button", class: "small", id: "to-present", click: toPresent }, t("scrub.to-live"));

/** `reads`: the page shows what was then, and else what is now. @param {import("../core/moment.js").Asked} asked @param {boolean} reads */
export function momentNote({ asked, position, time, problem }, reads) {
  if (!asked) return null;
  if (problem) return note("bad", element("div", { class: "row", role: "alert" }, element("span", {}, problem, " ", t("moment.present")), back()));
  if (!reads) return note("warn", element("div", { class: "row" }, element("span", {}, t("past.not-here", { asked })), back()));
  return note("past", element("div", { class: "row" }, element("span", { class: "mark past" }, t("past.title")),
    element("span", {}, t("past.page", { n: number(position), time: moment(time) })), back()));
}

/** Nothing in it can be used; why is said. @template {Element} T @param {T} node @param {string} why @returns {T} */
export function atRest(node, why) {
  const all = /** @type {NodeListOf<HTMLButtonElement>} */ (node.querySelectorAll("button, input, select, textarea"));
  for (const control of [.../** @type {any} */ (node.matches("button") ? [node] : []), ...all]) {
    control.disabled = true;
    control.title = why;
  }
  return node;
}

/** In the past nothing can be changed. @template {Element} T @param {import("../core/page.js").Page} page @param {T} node @returns {T} */
export const onlyNow = (page, node) => (page.past ? atRest(node, t("past.no-writes")) : node);
