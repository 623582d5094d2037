// @ts-check
// One event: what it changed, whom it names, the whole of it as it stands in the log.

import { address, get } from "../core/api.js";
import { element } from "../core/dom.js";
import { moment, number } from "../core/formats.js";
import { to } from "../core/router.js";
import { t } from "../core/texts.js";
import { eventName } from "./badges.js";
import { copy, curlButton, eventLink, fileLink, sessionLink } from "./links.js";
import { messageView, named } from "./messages.js";
import { paged } from "./pager.js";
import { note } from "./states.js";

const REFS = 8;
const CHANGES = 14;

/** @param {number} position @param {AbortSignal} [signal] */
export async function eventDetail(position, signal) {
  return view(...await eventAndErasure(position, signal));
}

/** An event, and when what its session said was erased. @param {number | string} position @param {AbortSignal} [signal] @returns {Promise<[any, string | null]>} */
export async function eventAndErasure(position, signal) {
  const event = await get(`/api/events/${position}`, { signal });
  if (event.session_id === null) return [event, null];
  const { events } = await get(address("/api/events", { session_id: event.session_id, type: "SessionErased", from: event.position + 1, limit: 1 }), { signal });
  return [event, events[0]?.timestamp ?? null];
}

/** @param {any} event @param {string | null} erased */
export function view(event, erased) {
  const path = `/api/events/${event.position}`;
  return element("div", { class: "stack", "data-event": event.position },
    element("div", { class: "row" }, eventName(event.type), eventLink(event.position),
      element("span", { class: "muted small" }, moment(event.timestamp))),
    element("p", { lang: "en" }, event.summary),
    element("dl", { class: "facts small" }, facts(event)),
    erased ? note("warn", t("event.erased", { time: moment(erased) })) : null,
    event.changes.length ? [element("h3", {}, t("event.changes")), paged(event.changes, CHANGES, change)] : erased ? null : element("p", { class: "muted small" }, t("event.no-changes")),
    event.refs.length ? [element("h3", {}, t("event.refs", { count: event.refs.length, n: number(event.refs.length) })),
      paged(event.refs, REFS, (ref) => messageView(ref, { small: true }))] : null,
    element("details", {}, element("summary", {}, t("event.raw")),
      element("pre", { tabindex: 0, "aria-label": t("event.raw") }, JSON.stringify(event, null, 2))),
    element("div", { class: "row small" }, fileLink("JSON", path, `event-${event.position}.json`), curlButton(path),
      element("button", { type: "button", class: "link", click: () => void copy(location.origin + location.pathname + to(["event", String(event.position)])) }, t("action.permalink"))));
}

/** @param {any} event */
function facts(event) {
  const exchange = event.data?.exchange_id;
  /** @type {[string, any][]} */
  const rows = [
    [t("event.session"), event.session_id === null ? null : sessionLink(event.session_id)],
    [t("event.exchange"), exchange ? element("a", { href: to(["exchange", String(exchange)]) }, String(exchange)) : null],
    [t("event.actor"), [event.actor, event.by ? [" · ", named(event.by)] : null].flat(2)],
    [t("event.correlation"), event.correlation_id ? element("a", { class: "mono", href: to(["audit"], { correlation: event.correlation_id }) }, event.correlation_id) : null],
    [t("event.cause"), event.causation_position ? eventLink(event.causation_position) : null],
    [t("event.hash"), element("code", { title: event.hash }, `${event.prev_hash.slice(0, 12)} → ${event.hash.slice(0, 12)}`)],
  ];
  return rows.filter(([, value]) => value !== null).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
}

/** @param {any} row */
function change({ entity, field, before, after }) {
  return element("div", { class: "change" },
    element("code", {}, `${entity} ${field}`),
    element("span", { class: "value-before" }, said(before)), element("span", { class: "value-after" }, said(after)));
}

/** @param {any} value */
export function said(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return Number.isInteger(value) ? number(value) : String(Math.round(value * 1e4) / 1e4);
  if (typeof value !== "string") return JSON.stringify(value);
  if (/^[0-9a-f]{40,}$/.test(value)) return `${value.slice(0, 12)}…`;
  return /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) ? moment(value) : value;
}
