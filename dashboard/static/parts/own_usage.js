// @ts-check
// What went through this proxy itself, by session: requests, tokens, cost.

import { list, get } from "../core/api.js";
import { element } from "../core/dom.js";
import { money, number, short } from "../core/formats.js";
import { to } from "../core/router.js";
import { t } from "../core/texts.js";
import { csvButton, fileLink } from "./links.js";
import { named } from "./messages.js";
import { table } from "./table.js";

const SESSIONS = 10;

/** @param {AbortSignal} signal */
export async function ownUsage(signal) {
  const { rows } = await list(`/api/sessions?limit=${SESSIONS}`, { signal });
  const found = await Promise.all(rows.map((/** @type {any} */ row) => get(`/api/sessions/${row.id}?metrics_limit=0`, { signal }).catch(() => null)));
  const details = found.filter((detail) => detail?.stats.total_requests);
  if (!details.length) return "";
  const csv = csvButton("sessions-usage.csv", () => ({ head: ["session_id", "name", "requests", "tokens_in", "tokens_out", "cost_usd"],
    rows: details.map(({ session, stats }) => [session.id, session.name, stats.total_requests, stats.cumulative_input_tokens, stats.cumulative_output_tokens, stats.cost_usd]) }));
  return element("section", { class: "card", "aria-label": t("usage.own") }, element("header", {}, element("h2", {}, t("usage.own")), element("div", { class: "tools" }, fileLink("JSON", "/api/exchanges?limit=500", "exchanges.json"), csv)),
    table({ caption: t("usage.own"), rows: details, key: ({ session }) => session.id, columns: [
      { label: t("event.session"), show: ({ session }) => element("a", { class: "name", href: to(["session", String(session.id)]) }, named(session.name)) },
      { label: t("session.model"), className: "wide", show: ({ session }) => named(session.model ?? session.provider) },
      { label: t("tile.requests"), className: "number", show: ({ stats }) => number(stats.total_requests) },
      { label: t("exchange.in"), className: "number", show: ({ stats }) => short(stats.cumulative_input_tokens) },
      { label: t("exchange.out"), className: "number wide", show: ({ stats }) => short(stats.cumulative_output_tokens) },
      { label: t("tile.cost"), className: "number", show: ({ stats }) => money(stats.cost_usd ?? null) }] }));
}
