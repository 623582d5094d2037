// @ts-check
// Switches, read tables, the log on disk, settings, keys.

import { get, post } from "../core/api.js";
import { element, fill, whenQuiet } from "../core/dom.js";
import { bytes, duration, number } from "../core/formats.js";
import { helpTable } from "../core/keys.js";
import { t } from "../core/texts.js";
import { mark } from "../parts/badges.js";
import { csvButton, eventLink, fileLink } from "../parts/links.js";
import { doing, tell } from "../parts/receipts.js";
import { note } from "../parts/states.js";
import { said } from "../parts/event_detail.js";
import { table } from "../parts/table.js";

/** @type {Record<string, string>} */
const STATES = { live: "ok", rebuilding: "warn", failed: "bad" };

/** @param {import("../core/page.js").Page} page */
export async function show(page) {
  const holders = { switches: element("div", {}), tables: element("div", { class: "scroll" }), disk: element("div", {}), settings: element("div", {}) };
  const card = (/** @type {string} */ name, /** @type {string} */ shape, /** @type {any} */ body, /** @type {any[]} */ ...tools) => element("section", { class: `card ${shape}`, "aria-label": t(`system.${name}`) },
    element("header", {}, element("h2", {}, t(`system.${name}`)), element("div", { class: "tools" }, tools)), body);
  /** @type {any[]} */
  let rows = [];
  const csv = csvButton("settings.csv", () => ({ head: ["key", "value", "source"], rows: rows.map((row) => [row.key, JSON.stringify(row.value), row.source]) }));
  /** @type {any[]} */
  let states = [];
  const statesCsv = csvButton("projections.csv", () => ({ head: ["name", "state", "position", "lag_events", "rows", "version", "checksum", "error"],
    rows: states.map((row) => [row.name, row.state, row.position, row.lag_events, row.rows, row.version, row.checksum, row.error]) }));
  const rebuild = element("button", { type: "button", class: "small", id: "rebuild", click: async () => {
    const done = await doing(rebuild, () => post("/api/projections/rebuild", { wait: true }));
    if (done) tell(t(done.value.equal ? "system.rebuilt-equal" : "system.rebuilt-other", { n: number(done.value.events), time: duration(done.value.duration_ms) }));
    void load();
  } }, t("system.rebuild"));
  fill(page.root, element("div", { class: "head" }, element("h1", {}, t("rail.system"))),
    card("switches", "five stretch", holders.switches), card("disk", "seven stretch", holders.disk, fileLink("JSON", "/api/sessions/diagnostic", "diagnostic.json")),
    card("tables", "", holders.tables, rebuild, fileLink("JSON", "/api/projections", "projections.json"), statesCsv),
    card("settings", "seven", holders.settings, fileLink("JSON", "/api/settings", "settings.json"), csv), card("keys", "five", helpTable()));
  const how = { signal: page.signal };
  const verified = element("div", {});
  const load = async () => {
    await Promise.all([
      page.into(holders.switches, () => switches(page, load)),
      page.into(holders.tables, async () => {
        const found = await get("/api/projections", how);
        states = found.projections;
        return tables(found);
      }),
      page.into(holders.disk, async () => disk(page, await get("/api/sessions/diagnostic", how), verified, load)),
      page.into(holders.settings, async () => {
        const found = await get("/api/settings", how);
        rows = found.settings;
        return settings(found);
      })]);
  };
  const quiet = whenQuiet(() => void load(), 600);
  page.whenLeft(quiet.stop);
  page.follow((message) => { if (/toggled|resync|sanitizer_event/.test(message.type) || /Rebuilt|Vacuumed|ConfigurationLoaded/.test(message.event?.type ?? "")) quiet(); });
  await load();
}

/** @param {import("../core/page.js").Page} page @param {() => void} after */
async function switches(page, after) {
  const how = { signal: page.signal };
  const [sessions, sanitizer, settings] = await Promise.all([get("/api/sessions/auto-status", how), get("/api/sanitizer/stats", how), get("/api/settings", how)]);
  const by = new Map(settings.settings.map((/** @type {any} */ row) => [row.key, row]));
  /** @param {string} name @param {boolean} on @param {string} path @param {string} key */
  const row = (name, on, path, key) => {
    const origin = by.get(key);
    const button = element("button", { type: "button", id: `switch-${name}`, click: async () => { if (await doing(button, () => post(path, { enabled: !on }))) after(); } }, t(on ? "action.off" : "action.on"));
    return element("div", { class: "stack" }, element("div", { class: "row" }, element("strong", {}, t(`switch.${name}`)), mark(t(on ? "state.on" : "state.off"), on ? "ok" : ""), button),
      element("p", { class: "muted small" }, t(`switch.${name}-more`), " ", origin?.position ? [t("switch.since"), " ", eventLink(origin.position)] : t("switch.default")));
  };
  return element("div", { class: "stack" }, row("auto-session", sessions.enabled, "/api/sessions/toggle-auto", "auto_session"), row("sanitizer", sanitizer.enabled, "/api/sanitizer/toggle", "sanitizer.enabled"));
}

/** @param {any} found */
function tables(found) {
  return table({ caption: t("system.tables"), rows: found.projections, key: (row) => row.name, columns: [
    { label: t("session.name"), show: (row) => element("code", {}, row.name) },
    { label: t("compactions.state"), show: (row) => mark(row.error ? `${t(`projection.${row.state}`)}: ${row.error}` : t(`projection.${row.state}`), STATES[row.state] ?? "") },
    { label: t("system.position"), className: "number", show: (row) => number(row.position) },
    { label: t("system.lag"), className: "number", show: (row) => number(row.lag_events) },
    { label: t("system.rows"), className: "number", show: (row) => number(row.rows) },
    { label: t("system.version"), className: "number wide", show: (row) => row.version },
    { label: t("system.checksum"), className: "mono wide", show: (row) => (row.checksum ?? "–").slice(0, 16) }] });
}

/** `result` stays when the figures are read anew. @param {import("../core/page.js").Page} page @param {any} found @param {HTMLElement} result @param {() => void} after */
function disk(page, found, result, after) {
  const verify = element("button", { type: "button", id: "verify", click: async () => {
    const done = await doing(verify, () => get("/api/log/verify", { signal: page.signal }));
    if (done) fill(result, done.ok ? note("ok", t("system.verified", { n: number(done.checked), time: duration(done.duration_ms) }), " ", element("code", {}, done.head_hash.slice(0, 16)))
      : note("bad", t("system.broken", { n: done.first_bad_position }), " ", done.problems.map((/** @type {any} */ problem) => problem.text).join(" ")));
  } }, t("system.verify"));
  const vacuum = element("button", { type: "button", id: "vacuum", click: async () => {
    const done = await doing(vacuum, () => post("/api/sessions/vacuum"));
    if (done) tell(t("system.vacuumed", { n: bytes(done.value.database.space_saved_bytes) }));
    after();
  } }, t("system.vacuum"));
  const { database, sessions, events } = found;
  return element("div", { class: "stack" }, element("dl", { class: "facts" }, [
    [t("system.path"), element("code", {}, database.path)], [t("system.size"), bytes(database.file_size_bytes)], [t("system.events"), number(events.head)],
    [t("rail.sessions"), `${number(sessions.total_count)} (${Object.entries(sessions.by_provider).map(([name, count]) => `${name} ${count}`).join(", ")})`],
  ].flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
  element("details", {}, element("summary", {}, t("system.by-type")), element("dl", { class: "facts small" },
    Object.entries(events.by_type).sort((a, b) => Number(b[1]) - Number(a[1])).flatMap(([name, count]) => [element("dt", { class: "mono" }, name), element("dd", {}, number(count))]))),
  element("div", { class: "row" }, verify, vacuum), result);
}

/** @param {any} found */
function settings(found) {
  return element("div", { class: "stack" }, found.warnings.map((/** @type {string} */ text) => note("warn", element("span", { lang: "en" }, text))),
    element("p", { class: "muted small" }, found.config_file ? t("system.file", { path: found.config_file }) : t("system.no-file")),
    element("div", { class: "fixed-height" }, table({ caption: t("system.settings"), rows: found.settings, key: (row) => row.key, columns: [
      { label: t("system.key"), show: (row) => element("code", {}, row.key) }, { label: t("system.value"), show: (row) => element("bdi", {}, said(row.value)) },
      { label: t("system.source"), className: "nowrap wide", show: (row) => [t(`source.${row.source}`), row.position ? [" ", eventLink(row.position)] : null].flat() }] })));
}
