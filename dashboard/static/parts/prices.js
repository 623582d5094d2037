// @ts-check
// What a million tokens cost, which books said so, and pricing history anew.

import { get, post } from "../core/api.js";
import { element, fill } from "../core/dom.js";
import { moment, money, number, rate } from "../core/formats.js";
import { t } from "../core/texts.js";
import { ask, choice, field } from "./dialog.js";
import { csvButton, eventLink, fileLink } from "./links.js";
import { named } from "./messages.js";
import { doing, tell } from "./receipts.js";
import { empty } from "./states.js";
import { table } from "./table.js";

const KINDS = ["input", "output", "cache_read", "cache_write", "cache_write_1h"];

/** The usual price of a model now, in dollars for a million tokens. @param {any} found of /api/prices @param {string} provider @param {string} model */
export function priceOf(found, provider, model) {
  const today = new Date().toISOString().slice(0, 10);
  const fitting = found.prices.filter((/** @type {any} */ row) => row.model === model && [null, provider].includes(row.provider) && !row.service_tier && !row.above && (row.since ?? "") <= today);
  return fitting.sort((/** @type {any} */ a, /** @type {any} */ b) => Number(Boolean(b.provider)) - Number(Boolean(a.provider)) || (b.since ?? "").localeCompare(a.since ?? ""))[0] ?? null;
}

/** @param {any} found of /api/prices @param {AbortSignal} signal */
export function priceCard(found, signal) {
  const holder = element("div", { class: "stack" });
  const draw = (/** @type {any} */ prices) => fill(holder, priceTable(prices), history(prices));
  draw(found);
  const anew = element("button", { type: "button", class: "small", id: "reprice", click: async () => {
    if (await reprice(found, anew)) draw(found = await get("/api/prices", { signal }));
  } }, t("prices.anew"));
  const csv = csvButton("prices.csv", () => ({ head: ["model", "provider", "since", "service_tier", "above", ...KINDS],
    rows: found.prices.map((/** @type {any} */ row) => [row.model, row.provider, row.since, row.service_tier, row.above, ...KINDS.map((kind) => row[kind])]) }));
  return element("section", { class: "card", "aria-label": t("prices.title") }, element("header", {}, element("h2", {}, t("prices.title")),
    element("div", { class: "tools" }, anew, fileLink("JSON", "/api/prices", "prices.json"), csv)), holder);
}

/** @param {any} found */
function priceTable(found) {
  if (!found.prices.length) return empty(t("prices.none"), t("prices.none-more"));
  const more = (/** @type {any} */ row) => [row.since ? t("prices.since", { day: row.since }) : "", row.service_tier ?? "", row.above ? t("prices.above", { n: number(row.above) }) : ""].filter(Boolean).join(" · ");
  return element("div", { class: "scroll" }, table({ caption: t("prices.title"), rows: found.prices, key: (row) => row.model, columns: [
    { label: t("session.model"), show: (row) => element("code", {}, named(row.model)) },
    { label: t("exchange.provider"), className: "wide", show: (row) => named(row.provider ?? t("prices.any")) },
    { label: t("prices.when"), className: "wide", show: (row) => more(row) || "–" },
    ...KINDS.map((kind) => ({ label: t(`prices.${kind}`), className: kind === "input" || kind === "output" ? "number" : "number wide", show: (/** @type {any} */ row) => rate(row[kind]) }))] }));
}

/** @param {any} found */
function history(found) {
  const line = (/** @type {any} */ row, /** @type {string} */ text, /** @type {string} */ time) => element("li", {}, moment(time), " · ", text, " ", element("code", {}, (row.hash ?? row.book).slice(0, 12)), " · ", eventLink(row.position));
  return element("details", {}, element("summary", {}, t("prices.history", { count: found.books.length, n: number(found.books.length) })),
    element("ul", { class: "small" }, found.repricings.map((/** @type {any} */ row) => line(row, t("prices.repriced", { from: number(row.from_position) }), row.repriced_at)),
      found.books.map((/** @type {any} */ row) => line(row, t("prices.adopted", { count: row.prices, n: number(row.prices) }), row.adopted_at))));
}

/** @param {any} found @param {HTMLButtonElement} button */
async function reprice(found, button) {
  const books = found.books.map((/** @type {any} */ row) => [row.hash, `${row.hash.slice(0, 12)} · ${moment(row.adopted_at)}`]);
  const answer = await ask({ title: t("prices.anew"), yes: t("prices.anew-do"), body: [element("p", {}, t("prices.anew-what")),
    field(t("prices.from"), "from", { value: "1", required: true, maxlength: 64, placeholder: t("filter.moment-hint") }),
    choice(t("prices.book"), "book", [["", t("prices.in-force")], ...books])] });
  if (!answer) return false;
  const from = /^\d+$/.test(answer.from) ? Number(answer.from) : answer.from;
  const done = await doing(button, () => post("/api/prices/reprice", { from, ...(answer.book ? { book: answer.book } : {}) }));
  if (done) tell(t(done.value.changed ? "prices.done" : "prices.same", { before: money(done.value.cost_before_usd), after: money(done.value.cost_after_usd) }));
  return Boolean(done?.value.changed);
}
