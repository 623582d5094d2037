// @ts-check
// One event under an address of its own.

import { element, fill } from "../core/dom.js";
import { pageKeys } from "../core/keys.js";
import { go, to } from "../core/router.js";
import { t } from "../core/texts.js";
import { eventAndErasure, view } from "../parts/event_detail.js";

export const past = "same"; // an event is what it was

/** @param {import("../core/page.js").Page} page @param {string} position */
export async function show(page, position) {
  const [event, erased] = await eventAndErasure(position, page.signal);
  const at = (/** @type {number} */ by) => to(["event", String(event.position + by)]);
  const state = event.session_id === null ? null
    : element("a", { class: "button", href: to(["session", String(event.session_id)], { at: event.position }) }, t("event.travel"));
  fill(page.root,
    element("div", { class: "head" }, element("h1", {}, t("event.title", { n: event.position })),
      element("div", { class: "actions" }, state, event.position > 1 ? element("a", { class: "button", href: at(-1) }, t("event.before")) : null,
        element("a", { class: "button", href: at(1) }, t("event.after")))),
    element("section", { class: "card", "aria-label": t("event.one") }, element("h2", { class: "hidden-text" }, t("event.one")), view(event, erased)));
  page.whenLeft(pageKeys({ ",": () => { if (event.position > 1) go(at(-1)); }, ".": () => go(at(1)) }));
}
