// @ts-check
// The MCP gateway: its servers, what was called last, and a form to try a call.

import { get, optional } from "../core/api.js";
import { element, fill, whenQuiet } from "../core/dom.js";
import { ago, bytes, clock, duration, number } from "../core/formats.js";
import { go, to } from "../core/router.js";
import { t } from "../core/texts.js";
import { badge, mark } from "../parts/badges.js";
import { csvButton, eventLink, fileLink } from "../parts/links.js";
import { tryCard } from "../parts/mcp_try.js";
import { named } from "../parts/messages.js";
import { empty } from "../parts/states.js";
import { table } from "../parts/table.js";

const BUILTIN = ["context-compression", "sequential-thinking", "fast-filesystem", "json-query", "pruner"];
const SHOWN = 30;
const CALLS = ["McpCallCompleted", "McpCallFailed", "McpCallRefused", "McpServerStarted", "McpServerCrashed", "BreakerOpened"];

/** @param {import("../core/page.js").Page} page */
export async function show(page) {
  const how = { signal: page.signal };
  const all = (await optional("/api/memory/all-servers", how)) ?? { all: [], phase4: BUILTIN.map((name) => ({ name })), connected_count: 0, total_count: 0, all_connected: false };
  if (page.left) return;
  /** @type {any[]} */
  let rows = [];
  const servers = element("div", { class: "scroll" });
  const calls = element("div", { class: "fixed-height" });
  const state = element("span", {});
  const csv = csvButton("mcp-servers.csv", () => ({ head: ["name", "type", "connected", "latency_ms", "errors", "tools", "last_check"], rows: rows.map((row) => [row.name, row.type, row.connected, row.latency_ms, row.error_count, row.tool_count, row.last_check]) }));
  /** @type {any[]} */
  let called = [];
  const callsCsv = csvButton("mcp-calls.csv", () => ({ head: ["position", "timestamp", "server", "method", "tool", "status", "outcome", "duration_ms", "bytes"],
    rows: called.map((row) => [row.position, row.timestamp, row.server, row.method, row.tool, row.status, row.outcome, row.duration_ms, row.bytes]) }));
  const draw = (/** @type {any} */ found) => {
    rows = [...new Map(found.all.map((/** @type {any} */ row) => [row.name, row])).values()]; // some serve both purposes
    fill(state, badge(t("mcp.connected", { n: number(rows.filter((row) => row.connected).length), total: number(rows.length) }), found.all_connected ? "ok" : "warn"));
    fill(servers, rows.length ? serverTable(rows) : empty(t("mcp.none")));
  };
  draw(all);
  const choose = [...new Set(all.phase4.map((/** @type {any} */ server) => server.name))];
  fill(page.root, element("div", { class: "head" }, element("h1", {}, t("rail.mcp")), state),
    element("section", { class: "card", "aria-label": t("mcp.servers") }, element("header", {}, element("h2", {}, t("mcp.servers")), element("div", { class: "tools" }, fileLink("JSON", "/api/memory/all-servers", "mcp-servers.json"), csv)), servers),
    tryCard(choose.map(String)),
    element("section", { class: "card half", "aria-label": t("mcp.calls") }, element("header", {}, element("h2", {}, t("mcp.calls")), element("div", { class: "tools" },
      fileLink("JSON", `/api/mcp/calls?limit=${SHOWN}`, "mcp-calls.json"), callsCsv)), calls));
  const load = () => page.into(calls, async () => {
    called = (await get(`/api/mcp/calls?limit=${SHOWN}`, how)).calls;
    return called.length ? callTable(called) : empty(t("mcp.no-calls"));
  });
  const quiet = whenQuiet(() => { void load(); void optional("/api/memory/all-servers", how).then((found) => found && draw(found)).catch(() => undefined); }, 800);
  page.whenLeft(quiet.stop);
  page.follow((message) => { if (message.type === "resync" || CALLS.includes(message.event?.type)) quiet(); });
  await load();
}

/** @param {any[]} calls */
function callTable(calls) {
  return table({ caption: t("mcp.calls"), rows: calls, key: (row) => row.position, open: (row) => go(to(["event", String(row.position)])), columns: [
    { label: "#", className: "mono number", show: (row) => eventLink(row.position) },
    { label: t("event.time"), className: "nowrap wide", show: (row) => clock(row.timestamp) },
    { label: t("mcp.server"), show: (row) => named(row.server) },
    { label: t("content.tool"), show: (row) => element("code", {}, named(row.tool ?? row.method)) },
    { label: t("compactions.state"), show: (row) => mark(row.outcome ?? row.status, STATES[row.status] ?? "bad") },
    { label: t("exchange.duration"), className: "number wide", show: (row) => duration(row.duration_ms) },
    { label: t("content.size"), className: "number wide", show: (row) => bytes(row.bytes) }] });
}

/** @type {Record<string, string>} */
const STATES = { completed: "ok", refused: "warn" };

/** @param {any[]} rows */
function serverTable(rows) {
  return table({ caption: t("mcp.servers"), rows, key: (row) => row.name, columns: [
    { label: t("session.name"), show: (row) => element("strong", {}, named(row.name)) },
    { label: t("compactions.state"), show: (row) => (row.connected ? mark(t("mcp.up"), "ok") : mark(t("mcp.down"), "bad")) },
    { label: t("mcp.latency"), className: "number", show: (row) => duration(row.latency_ms) },
    { label: t("mcp.errors"), className: "number", show: (row) => number(row.error_count) },
    { label: t("mcp.tools"), className: "number", show: (row) => number(row.tool_count) },
    { label: t("mcp.checked"), className: "nowrap wide", show: (row) => ago(row.last_check) },
    { label: t("mcp.address"), className: "wide", show: (row) => element("code", {}, named(row.url)) },
    { label: t("models.abilities"), className: "wide", show: (row) => element("bdi", { class: "clamp small" }, row.capabilities.join(", ")) }] });
}
