// @ts-check
// Budgets of the day and of named keys: what is used, what is held for running requests, what is left.

import { optional } from "../core/api.js";
import { element } from "../core/dom.js";
import { money, moment, number } from "../core/formats.js";
import { t } from "../core/texts.js";
import { thinBar } from "./gauge.js";
import { csvButton, fileLink } from "./links.js";
import { named } from "./messages.js";
import { table } from "./table.js";

/** @param {AbortSignal} signal */
export async function budgets(signal) {
  const found = await optional("/api/budgets", { signal });
  if (!found?.budgets.length) return "";
  const rows = found.budgets;
  const csv = csvButton("budgets.csv", () => ({ head: ["name", "tokens_used", "tokens_limit", "usd_used", "usd_limit", "requests_used", "requests_limit"],
    rows: rows.map((/** @type {any} */ row) => [row.name, row.tokens.used, row.tokens.limit, row.usd.used, row.usd.limit, row.requests.used, row.requests.limit]) }));
  return element("section", { class: "card", "aria-label": t("usage.budgets") }, element("header", {}, element("h2", {}, t("usage.budgets")),
    element("div", { class: "tools" }, fileLink("JSON", "/api/budgets", "budgets.json"), csv)),
  table({ caption: t("usage.budgets"), rows, key: (row) => row.name, columns: [
    { label: t("session.name"), show: (row) => whose(row.name) },
    { label: t("usage.budget-tokens"), show: (row) => unit(row.tokens, number) }, { label: t("tile.cost"), show: (row) => unit(row.usd, money) },
    { label: t("tile.requests"), show: (row) => unit(row.requests, number) },
    { label: t("usage.resets"), className: "wide", show: (row) => (row.resets_at ? moment(row.resets_at) : "–") }] }));
}

/** Whose budget it is. @param {string} name as the proxy says it in English */
function whose(name) {
  const [, key] = /^key (.+)$/s.exec(name) ?? [];
  if (key) return [t("usage.budget-key"), " ", named(key)];
  return name === "the day" ? t("usage.budget-day") : named(name);
}

/** @param {any} of @param {(value: any) => string} format */
function unit(of, format) {
  const held = of.reserved ? ` (+${format(of.reserved)})` : "";
  if (of.limit === null || of.limit === undefined) return `${format(of.used)}${held}`;
  return element("span", {}, element("span", { class: "small nowrap" }, `${format(of.used)}${held} / ${format(of.limit)}`), thinBar((100 * (of.used + (of.reserved ?? 0))) / (of.limit || 1)));
}
