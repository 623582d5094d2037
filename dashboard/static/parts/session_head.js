// @ts-check
// What stands above each page of a session: its name, its tabs.

import { get } from "../core/api.js";
import { element, fill } from "../core/dom.js";
import { live } from "../core/live.js";
import { to } from "../core/router.js";
import { t } from "../core/texts.js";
import { badge } from "./badges.js";
import { named } from "./messages.js";

/** `then` in a session: it is as it was, and its title does not follow. @param {any} session @param {...any} actions */
export function sessionHead(session, ...actions) {
  return element("div", { class: "head" },
    element("h1", { "data-session-name": session.then ? null : session.id }, named(session.name)),
    session.erased ? badge(t("session.erased"), "bad") : session.is_active ? badge(t("session.active"), "ok") : null,
    element("span", { class: "muted small" }, `#${session.id} · `, named(session.model ?? session.provider),
      session.client_family ? [" · ", named(session.client_family)] : null),
    element("div", { class: "actions" }, actions));
}

/** Titles follow when a session is named anew, whichever page shows them. */
export function followNames() {
  const titles = (/** @type {string} */ which) => /** @type {HTMLElement[]} */ ([...document.querySelectorAll(`[data-session-name${which}]`)]);
  live.subscribe(async (message) => {
    if (message.type === "session_updated") for (const title of titles(`="${Number(message.session_id)}"`)) fill(title, named(message.session_name));
    if (message.type !== "resync") return;
    for (const title of titles("")) {
      const found = await get(`/api/sessions/${title.dataset.sessionName}?metrics_limit=0`).catch(() => null);
      if (found) fill(title, named(found.session.name));
    }
  });
}

/** @param {string | number} id @param {"travel" | "compactions" | "exchanges"} current @param {number | null} at the moment that all three show */
export function sessionTabs(id, current, at) {
  const tab = (/** @type {string[]} */ ...more) => to(["session", String(id), ...more], { at });
  const tabs = { travel: tab(), compactions: tab("compactions"), exchanges: tab("exchanges") };
  return element("nav", { class: "tabs", "aria-label": t("session.tabs") }, Object.entries(tabs).map(([name, href]) =>
    element("a", { href, "aria-current": name === current && "page" }, t(`session.${name}`))));
}
