// @ts-check
// What clients wrote down about their usage, by day, by model and by task, and how it is taken over.

import { address, get, post } from "../core/api.js";
import { element, fill, whenQuiet } from "../core/dom.js";
import { money, moment, number, short } from "../core/formats.js";
import { t } from "../core/texts.js";
import { tiles } from "../parts/gauge.js";
import { csvButton, fileLink, jsonButton } from "../parts/links.js";
import { named } from "../parts/messages.js";
import { pager } from "../parts/pager.js";
import { onlyNow } from "../parts/past.js";
import { doing, tell } from "../parts/receipts.js";
import { empty } from "../parts/states.js";
import { table } from "../parts/table.js";
import { budgets } from "../parts/budgets.js";
import { ownUsage } from "../parts/own_usage.js";

const SIZE = 25;
const MOST = 1000;
const QUIET_MS = 800;
export const past = "read";

/** @param {import("../core/page.js").Page} page */
export async function show(page) {
  const how = { signal: page.signal };
  const tasks = element("div", { class: "scroll" });
  const groups = element("div", { class: "stack" });
  const ledgers = element("div", {});
  const own = element("div", { class: "column" });
  const figures = tiles([["tasks", t("usage.tasks")], ["in", t("exchange.in")], ["out", t("exchange.out")], ["cost", t("tile.cost")]]);
  /** @type {any[]} */
  let rows = [];
  /** @type {Record<string, any[]>} */
  let sums = { day: [], model: [] };
  let offset = 0;
  const byDayAndModel = [jsonButton("usage-groups.json", () => sums), csvButton("usage-groups.csv", () => ({ head: ["by", "name", "tasks", "tokens_in", "tokens_out", "cost"],
    rows: Object.entries(sums).flatMap(([by, list]) => list.map((row) => [by, row.name, row.tasks, row.tokens_in, row.tokens_out, row.cost])) }))];
  const csv = csvButton("usage.csv", () => ({ head: ["task_id", "time", "model", "tokens_in", "tokens_out", "cost"],
    rows: rows.map((row) => [row.task_id, new Date(row.ts).toISOString(), row.model_id, row.tokens_in, row.tokens_out, row.total_cost]) }));
  const slice = () => element("div", { class: "stack" }, taskTable(rows.slice(offset, offset + SIZE)),
    pager({ total: rows.length, offset, size: SIZE, turn: (next) => { offset = next; fill(tasks, slice()); } }));
  const load = () => Promise.all([
    page.into(ledgers, async () => onlyNow(page, ledgerList(await get(address("/api/cline/status", { at: page.at }), how), () => void load()))),
    page.into(tasks, async () => {
      const found = await get(address("/api/cline/usage", { limit: MOST, at: page.at }), how);
      rows = found.items;
      const sum = (/** @type {string} */ key) => rows.reduce((total, row) => total + row[key], 0);
      figures.set({ tasks: number(found.total ?? rows.length), in: short(sum("tokens_in")), out: short(sum("tokens_out")), cost: money(rows.length ? sum("total_cost") : null) });
      sums = { day: grouped(rows, (row) => new Date(row.ts).toISOString().slice(0, 10)), model: grouped(rows, (row) => row.model_id ?? "–") };
      fill(groups, rows.length ? [groupTable(t("usage.by-day"), sums.day), groupTable(t("usage.by-model"), sums.model)] : empty(t("usage.none")));
      return rows.length ? slice() : empty(t("usage.none"), t("usage.none-more"));
    })]);
  const card = (/** @type {string} */ name, /** @type {string} */ shape, /** @type {any} */ body, /** @type {any[]} */ ...tools) => element("section", { class: `card ${shape}`, "aria-label": t(`usage.${name}`) },
    element("header", {}, element("h2", {}, t(`usage.${name}`)), element("div", { class: "tools" }, tools)), body);
  fill(page.root, element("div", { class: "head" }, element("h1", {}, t("rail.usage"))), own, element("h2", {}, t("usage.from-ledgers")), figures.node,
    card("groups", "half", groups, ...byDayAndModel), card("ledgers", "half", ledgers), card("tasks", "", tasks, fileLink("JSON", address("/api/cline/usage", { limit: MOST, at: page.at }), "usage.json"), csv));
  const limits = element("div", {});
  const limit = async () => {
    const made = page.past ? "" : await budgets(page.signal); // they are only known of now
    limits.hidden = !made;
    fill(limits, made);
  };
  /** @type {Awaited<ReturnType<typeof ownUsage>>} */
  let used = null;
  const again = whenQuiet(() => void Promise.all([limit(), used?.again()]).catch(() => undefined), QUIET_MS); // the connection tells
  const reload = whenQuiet(() => void load(), QUIET_MS);
  page.whenLeft(again.stop);
  page.whenLeft(reload.stop);
  page.follow((message) => {
    if (/^(resync|cline_usage_updated|ledger_usage_updated)$/.test(message.type)) reload();
    if (MOVES.test(message.event?.type ?? message.type)) again();
  });
  await Promise.all([load(), page.into(own, async () => {
    await limit();
    used = await ownUsage(page.signal, page.at);
    return element("div", { class: "column" }, limits, used?.node);
  })]);
}

/** Whatever moves the figures of the proxy or their names: messages, and events where nothing else is told. */
const MOVES = /^(resync|cline_usage_updated|ledger_usage_updated|metric|metric_updated|session_updated|session_deleted|.*UsageImported|Exchange.*|RepricedFrom|Session(Renamed|sMerged))$/;

/** @param {any[]} rows @param {(row: any) => string} key */
function grouped(rows, key) {
  /** @type {Map<string, any>} */
  const groups = new Map();
  for (const row of rows) {
    const group = groups.get(key(row)) ?? { name: key(row), tasks: 0, tokens_in: 0, tokens_out: 0, cost: 0 };
    group.tasks++;
    group.tokens_in += row.tokens_in;
    group.tokens_out += row.tokens_out;
    group.cost += row.total_cost;
    groups.set(group.name, group);
  }
  return [...groups.values()];
}

/** @param {string} caption @param {any[]} groups */
function groupTable(caption, groups) {
  return element("div", {}, table({ caption, rows: groups, key: (row) => row.name, columns: [
    { label: caption, show: (row) => named(row.name) }, { label: t("usage.tasks"), className: "number", show: (row) => number(row.tasks) },
    { label: t("exchange.in"), className: "number wide", show: (row) => short(row.tokens_in) }, { label: t("exchange.out"), className: "number wide", show: (row) => short(row.tokens_out) },
    { label: t("tile.cost"), className: "number", show: (row) => money(row.cost) }] }));
}

/** @param {any[]} rows */
function taskTable(rows) {
  return table({ caption: t("usage.tasks"), rows, key: (row) => row.task_id, columns: [
    { label: t("event.time"), className: "nowrap", show: (row) => moment(row.ts) }, { label: t("usage.task"), className: "mono wide", show: (row) => named(row.task_id) },
    { label: t("session.model"), show: (row) => named(row.model_id) }, { label: t("exchange.in"), className: "number", show: (row) => number(row.tokens_in) },
    { label: t("exchange.out"), className: "number", show: (row) => number(row.tokens_out) }, { label: t("tile.cost"), className: "number", show: (row) => money(row.total_cost) }] });
}

/** @param {any} status @param {() => void} after */
function ledgerList(status, after) {
  const button = element("button", { type: "button", id: "import", click: async () => {
    const done = await doing(button, () => post("/api/cline/import"));
    if (!done) return;
    tell(t("usage.imported", { n: number(done.value.imported_count), skipped: number(done.value.skipped_count), errors: number(done.value.error_count) }));
    after();
  } }, t("usage.import"));
  const ledgers = /** @type {any[]} */ (status.ledgers ?? []);
  const list = (/** @type {boolean} */ there) => element("ul", { class: "small" }, ledgers.filter(({ exists }) => exists === there)
    .map((ledger) => element("li", {}, element("code", {}, named(ledger.path)), ` · ${ledger.kind}`)));
  const missing = ledgers.filter(({ exists }) => !exists).length;
  return element("div", { class: "stack" }, element("p", {}, status.latest_ts ? t("usage.latest", { time: moment(status.latest_ts) }) : t("usage.never")),
    list(true), missing ? element("details", {}, element("summary", {}, t("usage.not-there", { count: missing })), list(false)) : null, element("div", {}, button));
}
