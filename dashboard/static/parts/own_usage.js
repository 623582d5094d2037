// @ts-check
// What went through this proxy itself: by day, by model, by session.

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

/** @param {AbortSignal} signal */
export async function ownUsage(signal) {
  const holder = element("div", { class: "scroll" });
  const links = element("div", { class: "tools" });
  const figures = tiles([["requests", t("tile.requests")], ["in", t("exchange.in")], ["out", t("exchange.out")], ["cost", t("tile.cost")]]);
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
    const path = address("/api/usage", { group_by: by, limit: 100, ...asked });
    if (asked.from && asked.to && asked.to < asked.from) {
      fill(holder, empty(t("usage.backwards")));
      return true;
    }
    const found = await optional(path, { signal });
    if (!found) return false;
    if (chosen !== by) return true;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.by === by));
    const { totals } = found;
    figures.set({ requests: number(totals.exchanges), in: short(totals.input_tokens), out: short(totals.output_tokens), cost: money(totals.cost_usd) }, {
      in: totals.input_tokens ? t("exchange.cached", { percent: percent((100 * totals.cache_read_tokens) / totals.input_tokens) }) : "",
      cost: totals.unpriced ? t("usage.unpriced", { count: totals.unpriced, n: number(totals.unpriced) }) : "" });
    fill(links, fileLink("JSON", path, "usage.json"), fileLink("CSV", address(path, {}) + "&format=csv", "usage.csv"));
    fill(holder, found.groups.length ? groupTable(by, found.groups) : empty(t("usage.nothing")));
    return true;
  };
  if (!await draw(BY[0])) return "";
  return element("div", { class: "column" }, figures.node, element("section", { class: "card", "aria-label": t("usage.own") },
    element("header", {}, element("h2", {}, t("usage.own")), element("div", { class: "segments", role: "group", "aria-label": t("usage.own") }, buttons), links), form, holder));
}

/** @param {string} by @param {any[]} groups */
function groupTable(by, groups) {
  const name = (/** @type {any} */ row) => (by === "session" ? element("a", { class: "name", href: to(["session", row.key]) }, named(row.name ?? row.key)) : named(row.name ?? row.key));
  return table({ caption: t("usage.own"), rows: groups, key: (row) => row.key, columns: [
    { label: t(`usage.by-${by}`), show: name }, { label: t("tile.requests"), className: "number", show: (row) => number(row.exchanges) },
    { label: t("exchange.in"), className: "number", show: (row) => short(row.input_tokens) }, { label: t("exchange.out"), className: "number wide", show: (row) => short(row.output_tokens) },
    { label: t("outcome.failed"), className: "number wide", show: (row) => number(row.failed) }, { label: t("tile.cost"), className: "number", show: (row) => money(row.cost_usd) }] });
}
