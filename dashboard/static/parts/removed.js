// @ts-check
// What a compaction took out and put in: the summary, the removed messages whole, and both as a diff.

import { address, get } from "../core/api.js";
import { element } from "../core/dom.js";
import { number, percent } from "../core/formats.js";
import { to } from "../core/router.js";
import { t } from "../core/texts.js";
import { diffOf } from "./diff.js";
import { eventLink } from "./links.js";
import { messageView, wholeText } from "./messages.js";
import { paged } from "./pager.js";
import { note } from "./states.js";

const PAGE = 10;
const LIMIT = 1000;

/** @param {string} session @param {any} row of the history @param {AbortSignal} signal */
export async function removedView(session, row, signal) {
  const [event, messages] = await Promise.all([get(`/api/events/${row.position}`, { signal }), received(session, row.position, signal)]);
  const gone = new Set(row.removed_refs);
  const whole = new Map(messages.map((message) => [message.ref, message]));
  const refs = /** @type {any[]} */ (event.refs);
  const removed = refs.filter((ref) => gone.has(ref.ref)).map((ref) => whole.get(ref.ref) ?? ref);
  const inserted = refs.filter((ref) => !gone.has(ref.ref));
  const text = (/** @type {any[]} */ list) => list.map((message) => `[${message.role || t("message.unknown")}]\n${message.preview ?? wholeText(message)}`).join("\n\n");
  return element("div", { class: "stack", "data-removed": removed.length },
    element("p", {}, element("strong", {}, `${number(row.tokens_before)} → ${number(row.tokens_after)}`), ` · ${percent(row.compaction_ratio)} · `, eventLink(row.position),
      " · ", element("a", { href: to(["session", session], { at: row.position }) }, t("session.travel"))),
    row.reverted_at ? note("ok", t("compactions.reverted-note")) : null,
    element("h3", {}, t("compact.summary")),
    inserted.length ? element("div", {}, inserted.map((message) => messageView(message, { kind: "added", small: true }))) : element("p", { class: "muted" }, "–"),
    element("h3", {}, t("compactions.removed-count", { count: removed.length, n: number(removed.length) })),
    paged(removed, PAGE, (message) => messageView(message, { kind: "removed", small: true })),
    element("details", {}, element("summary", {}, t("diff.title")), diffOf(t("diff.title"), text(removed), text(inserted))));
}

/** All messages as the client had sent them. @param {string} session @param {number} at @param {AbortSignal} signal */
async function received(session, at, signal) {
  /** @type {any[]} */
  const all = [];
  for (;;) {
    const query = { view: "received", content: "full", limit: LIMIT, offset: all.length, at };
    const found = await get(address(`/api/sessions/${session}/messages`, query), { signal }).catch(() => ({ messages: [], total: 0 }));
    all.push(...found.messages);
    if (!found.messages.length || all.length >= found.total) return all;
  }
}
