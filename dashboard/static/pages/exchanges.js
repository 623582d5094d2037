// @ts-check
// The requests of a session.

import { address, get } from "../core/api.js";
import { element, fill, whenQuiet } from "../core/dom.js";
import { clock, duration, money, number } from "../core/formats.js";
import { go, to } from "../core/router.js";
import { t } from "../core/texts.js";
import { outcome } from "../parts/badges.js";
import { csvButton, fileLink } from "../parts/links.js";
import { named } from "../parts/messages.js";
import { pager } from "../parts/pager.js";
import { sessionHead, sessionTabs } from "../parts/session_head.js";
import { empty } from "../parts/states.js";
import { table } from "../parts/table.js";

const SIZE = 50;
export const past = "read";

/** @param {import("../core/page.js").Page} page @param {string} id */
export async function show(page, id) {
  const { at } = page;
  const { session } = await get(address(`/api/sessions/${id}`, { metrics_limit: 0, at }), { signal: page.signal });
  if (page.left) return;
  const holder = element("div", { class: "scroll" });
  /** @type {any[]} */
  let rows = [];
  let offset = 0;
  const csv = csvButton(`exchanges-${id}.csv`, () => ({ head: ["id", "started_at", "model", "outcome", "prompt_tokens", "completion_tokens", "tokens_saved", "cost_usd", "duration_ms"],
    rows: rows.map((row) => [row.id, row.started_at, row.model_sent, row.outcome, row.usage.prompt_tokens, row.usage.completion_tokens, row.reduction.tokens_saved, row.cost_usd, row.timings.duration_ms]) }));
  fill(page.root, sessionHead({ ...session, then: page.past }), sessionTabs(id, "exchanges", at),
    element("section", { class: "card", "aria-label": t("session.exchanges") },
      element("header", {}, element("h2", {}, t("session.exchanges")), element("div", { class: "tools" }, fileLink("JSON", address("/api/exchanges", { session_id: id, limit: 500, at }), `exchanges-${id}.json`), csv)), holder));
  const load = () => page.into(holder, async () => {
    const found = await get(address("/api/exchanges", { session_id: id, limit: SIZE, offset, at }), { signal: page.signal });
    rows = found.exchanges;
    if (!rows.length) return empty(t("exchanges.none"));
    return element("div", { class: "stack" }, exchangeTable(rows, at), pager({ total: found.total, offset, size: SIZE, turn: (next) => { offset = next; void load(); } }));
  });
  const quiet = whenQuiet(() => void load(), 800);
  page.whenLeft(quiet.stop);
  page.follow((message) => { if (message.type === "resync" || (/^metric/.test(message.type) && message.session_id === Number(id))) quiet(); });
  await load();
}

/** @param {any[]} rows @param {number | null} at */
function exchangeTable(rows, at) {
  const placeOf = (/** @type {any} */ row) => to(["exchange", String(row.id)], { at });
  const open = (/** @type {any} */ row) => go(placeOf(row));
  return table({ caption: t("session.exchanges"), rows, open, key: (row) => row.id, columns: [
    { label: "#", className: "number mono", show: (row) => element("a", { href: placeOf(row) }, row.id) },
    { label: t("event.time"), className: "nowrap", show: (row) => clock(row.started_at) },
    { label: t("session.model"), className: "wide", show: (row) => named(row.model_sent) },
    { label: t("exchange.tokens"), className: "number", show: (row) => `${number(row.usage.prompt_tokens || row.sent.tokens)} + ${number(row.usage.completion_tokens)}` },
    { label: t("tile.saved"), className: "number wide", show: (row) => (row.reduction.applied ? number(row.reduction.tokens_saved) : "–") },
    { label: t("tile.cost"), className: "number wide", show: (row) => money(row.cost_usd) },
    { label: t("exchange.duration"), className: "number wide", show: (row) => duration(row.timings.duration_ms) },
    { label: t("exchange.outcome"), show: outcome },
  ] });
}
