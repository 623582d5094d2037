// @ts-check
// What went through this proxy itself: by day, by model, by session; what was imported from ledgers stands apart.

import { address, optional } from "../core/api.js";
import { element, fill, whenQuiet } from "../core/dom.js";
import { money, number, percent, short } from "../core/formats.js";
import { to } from "../core/router.js";
import { t } from "../core/texts.js";
import { tiles } from "./gauge.js";
import { fileLink } from "./links.js";
import { named } from "./messages.js";
import { field } from "./dialog.js";
import { complain } from "./receipts.js";
import { empty } from "./states.js";
import { table } from "./table.js";

const BY = ["day", "model", "provider", "session", "client_family"];
const TYPED_MS = 300;

/**
 * What was counted here: all but what ledgers say. @param {any} all of /api/usage, its totals or one of its groups
 * @returns {Record<string, any>}
 */
export function throughProxy(all) {
  const { imported } = all.sources;
  const left = (/** @type {string} */ key) => all[key] - imported[key];
  const micros = (/** @type {number | null} */ usd) => Math.round((usd ?? 0) * 1e6); // sums of floats are not exact
  const priced = left("priced");
  return { exchanges: left("exchanges"), input_tokens: left("input_tokens"), output_tokens: left("output_tokens"), cache_read_tokens: left("cache_read_tokens"),
    unpriced: left("unpriced"), cost_usd: priced ? (micros(all.cost_usd) - micros(imported.cost_usd)) / 1e6 : null };
}

/** The card; `null` where the proxy has no such figures. `again` reads it anew. @param {AbortSignal} signal @param {number | null} at */
export async function ownUsage(signal, at) {
  const holder = element("div", { class: "scroll" });
  const links = element("div", { class: "tools" });
  const figures = tiles([["requests", t("tile.requests")], ["in", t("exchange.in")], ["out", t("exchange.out")], ["cost", t("tile.cost")], ["imported", t("usage.imported-tasks")]]);
  const buttons = BY.map((by) => element("button", { type: "button", "data-by": by, click: () => void draw(by).catch(complain) }, t(`usage.by-${by}`)));
  const later = whenQuiet(() => void draw(chosen).catch(complain), TYPED_MS);
  signal.addEventListener("abort", later.stop);
  const day = (/** @type {string} */ name) => field(t(`filter.${name}`), name, { type: "date", input: later });
  const form = element("form", { class: "line", id: "usage-filter", submit: (/** @type {Event} */ event) => event.preventDefault() }, day("from"), day("to"),
    field(t("session.model"), "model", { input: later }), element("label", { class: "check" }, element("input", { type: "checkbox", name: "rollup", input: later }), t("usage.rollup")));
  let chosen = BY[0];
  /** @param {string} by */
  const draw = async (by) => {
    chosen = by;
    const data = new FormData(form);
    const asked = { from: data.get("from"), to: data.get("to"), model: data.get("model"), rollup: data.get("rollup") === "on" || null };
    const path = address("/api/usage", { group_by: by, limit: 100, at, ...asked });
    if (asked.from && asked.to && asked.to < asked.from) {
      fill(holder, empty(t("usage.backwards")));
      return true;
    }
    const found = await optional(path, { signal });
    if (!found) return false;
    if (chosen !== by) return true;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.by === by));
    const totals = throughProxy(found.totals);
    const { imported } = found.totals.sources;
    figures.set({ requests: number(totals.exchanges), in: short(totals.input_tokens), out: short(totals.output_tokens), cost: money(totals.cost_usd), imported: number(imported.exchanges) }, {
      in: totals.input_tokens ? t("exchange.cached", { percent: percent((100 * totals.cache_read_tokens) / totals.input_tokens) }) : "",
      cost: totals.unpriced ? t("usage.unpriced", { count: totals.unpriced, n: number(totals.unpriced) }) : "",
      imported: imported.exchanges ? t("usage.imported-sum", { input: short(imported.input_tokens), output: short(imported.output_tokens), cost: money(imported.cost_usd) }) : "" });
    fill(links, fileLink("JSON", path, "usage.json"), fileLink("CSV", address(path, {}) + "&format=csv", "usage.csv"));
    fill(holder, found.groups.length ? groupTable(by, found.groups, imported.exchanges > 0) : empty(t("usage.nothing")));
    return true;
  };
  if (!await draw(BY[0])) return null;
  const node = element("div", { class: "column" }, figures.node, element("section", { class: "card", "aria-label": t("usage.own") },
    element("header", {}, element("h2", {}, t("usage.own")), element("div", { class: "segments", role: "group", "aria-label": t("usage.own") }, buttons), links), form, holder));
  return { node, again: () => draw(chosen) };
}

/** @param {string} by @param {any[]} groups @param {boolean} both whether anything was imported, too */
function groupTable(by, groups, both) {
  const name = (/** @type {any} */ row) => (by === "session" ? element("a", { class: "name", href: to(["session", row.key]) }, named(row.name ?? row.key)) : named(row.name ?? row.key));
  const rows = groups.map((group) => ({ key: group.key, name: group.name, failed: group.failed, imported: group.sources.imported, ...throughProxy(group) }));
  return table({ caption: t("usage.own"), rows, key: (row) => row.key, columns: [
    { label: t(`usage.by-${by}`), show: name }, { label: t("tile.requests"), className: "number", show: (row) => number(row.exchanges) },
    { label: t("exchange.in"), className: "number", show: (row) => short(row.input_tokens) }, { label: t("exchange.out"), className: "number wide", show: (row) => short(row.output_tokens) },
    { label: t("outcome.failed"), className: "number wide", show: (row) => number(row.failed) }, { label: t("tile.cost"), className: "number", show: (row) => money(row.cost_usd) },
    ...(both ? [{ label: t("usage.imported-tasks"), className: "number wide", show: (/** @type {any} */ row) => number(row.imported.exchanges) },
      { label: t("usage.imported-cost"), className: "number wide", show: (/** @type {any} */ row) => money(row.imported.cost_usd) }] : [])] });
}
