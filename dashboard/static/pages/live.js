// @ts-check
// Live: the active session as it goes on. Each event moves the figures that came with it; everything else is read again
// only when it has been quiet for a while.

import { Refused, get } from "../core/api.js";
import { beforePaint, element, fill, whenQuiet } from "../core/dom.js";
import { ago, duration, money, number, percent, short } from "../core/formats.js";
import { pageKeys } from "../core/keys.js";
import { kept } from "../core/kept.js";
import { go, to } from "../core/router.js";
import { t } from "../core/texts.js";
import { compact, compactButtons, preview } from "../parts/compacting.js";
import { tokenChart } from "../parts/context_charts.js";
import { eventTable, prepend } from "../parts/events.js";
import { gauge, tiles } from "../parts/gauge.js";
import { csvButton, fileLink } from "../parts/links.js";
import { sessionHead } from "../parts/session_head.js";
import { empty, note } from "../parts/states.js";
import { forecast } from "../parts/forecast.js";
import { pointHere } from "../parts/point_here.js";
import { Timeline } from "../time/timeline.js";

const EVENTS = 20;
const POINTS = 800; // as many as the chart has pixels, about
const QUIET_MS = 800;
const AGAIN_MS = 150;

/** @param {import("../core/page.js").Page} page */
export async function show(page) {
  const found = await active(page.signal);
  if (page.left) return;
  if (!found) return nothing(page);
  const session = found.session.id;
  const [timeline, events] = await Promise.all([
    Timeline.load(session, { signal: page.signal }, POINTS), get(`/api/events?limit=${EVENTS}`, { signal: page.signal })]);
  if (page.left) return;
  draw(page, found, timeline, events.events);
}

/** @param {AbortSignal} signal */
async function active(signal) {
  try {
    return await get("/api/sessions/active", { signal });
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return null;
    throw error;
  }
}

/** @param {import("../core/page.js").Page} page */
async function nothing(page) {
  const anew = again(page);
  page.follow((message) => { if (/^(new_session|auto_session_created|session_activated|resync)$/.test(message.type)) anew(); });
  fill(page.root, element("div", { class: "head" }, element("h1", {}, t("live.title"))),
    element("section", { class: "card" }, empty(t("live.none"), t("live.none-more"))),
    await pointHere(page.signal));
}

/** All anew, once it is quiet: where sessions change by the hundred, once for all of them. @param {import("../core/page.js").Page} page */
function again(page) {
  const begin = whenQuiet(() => {
    for (const end of page.ends.splice(0)) end();
    void show(page).catch(() => undefined); // the connection tells; the next resync or event comes back here
  }, AGAIN_MS);
  page.whenLeft(begin.stop);
  return begin;
}

/** @param {import("../core/page.js").Page} page @param {any} found @param {Timeline} timeline @param {any[]} events */
function draw(page, found, timeline, events) {
  const session = found.session;
  const anew = again(page);
  const level = gauge();
  const figures = tiles([["requests", t("tile.requests")], ["cost", t("tile.cost")], ["compactions", t("tile.compactions")],
    ["burn", t("tile.burn")], ["full", t("tile.full")], ["last", t("tile.last")]], "three");
  const chart = tokenChart({});
  const elsewhere = element("div", { class: "elsewhere", hidden: true });
  const open = (/** @type {any} */ event) => go(to(["event", String(event.position)]));
  const list = eventTable(events, { open });
  const csv = csvButton("events.csv", () => ({ head: ["position", "timestamp", "session_id", "type", "summary"],
    rows: events.map((event) => [event.position, event.timestamp, event.session_id, event.type, event.summary]) }));
  const body = list.querySelector("tbody");
  const state = { used: found.context.current_tokens, most: found.context.max_context, reserved: session.reserved_tokens };
  let moved = true;
  const paint = beforePaint(() => {
    level.set(state.used, state.most, state.reserved, [t(session.auto_compaction_enabled ? "auto.on" : "auto.off")]);
    chart.names.set(chart.columns(timeline), timeline.last);
    if (moved) chart.set(timeline, kept.axis === "time");
    moved = false;
    page.root.dataset.shown = String(timeline.position(timeline.last));
  });
  const settle = () => {
    const { stats, recent_metrics: metrics } = found;
    const coming = forecast(metrics, state.most - state.reserved - state.used);
    const cost = metrics.reduce((/** @type {number | null} */ sum, /** @type {any} */ metric) => (metric.cost_usd === null ? sum : (sum ?? 0) + metric.cost_usd), null);
    figures.set({
      requests: number(stats.total_requests), cost: money(timeline.sums?.cost[timeline.last] ?? cost), compactions: number(found.session.compaction_count),
      burn: coming.perRequest === null ? "–" : `${coming.perRequest > 0 ? "+" : ""}${short(coming.perRequest)}`,
      full: coming.requests === null ? "–" : `≈ ${number(coming.requests)}`, last: ago(metrics[0]?.timestamp),
    }, {
      requests: t("tile.tokens-in-all", { n: short(stats.cumulative_total_tokens) }), burn: t("tile.per-request"), full: t("tile.requests-left"),
      last: metrics[0] ? `${metrics[0].model} · ${duration(metrics[0].duration_ms)}` : "",
      cost: metrics[0]?.cached_tokens ? t("tile.cached", { percent: percent((100 * metrics[0].cached_tokens) / Math.max(metrics[0].prompt_tokens, 1)) }) : "",
    });
    paint();
  };
  const refresh = async () => {
    try {
      const next = await active(page.signal);
      if (!next || next.session.id !== session.id) return anew();
      found = next;
      Object.assign(session, next.session);
      Object.assign(state, { used: next.context.current_tokens, most: next.context.max_context, reserved: next.session.reserved_tokens });
      if (timeline.pending) {
        timeline = await Timeline.load(session.id, { signal: page.signal }, POINTS);
        moved = true;
      }
      settle();
    } catch {
      // the connection tells
    }
  };
  const later = whenQuiet(() => void refresh(), QUIET_MS);
  page.whenLeft(later.stop);
  page.whenLeft(() => chart.chart.end?.());
  const after = () => void refresh();
  fill(page.root,
    sessionHead(session, element("a", { class: "button", href: to(["session", String(session.id)]) }, t("session.travel")), compactButtons(session.id, after)),
    elsewhere,
    element("section", { class: "card half stretch", "aria-label": t("gauge.title") }, element("header", {}, element("h2", {}, t("gauge.title"))), level.node),
    element("div", { class: "half" }, figures.node),
    chart.node,
    element("section", { class: "card", "aria-label": t("list.events") },
      element("header", {}, element("h2", {}, t("live.last-events")),
        element("div", { class: "tools" }, element("a", { href: to(["audit"]) }, t("live.all-events")), fileLink("JSON", `/api/events?limit=${EVENTS}`, "events.json"), csv)),
      list));
  settle();
  page.follow((message) => {
    if (message.type === "resync" || (message.type === "session_activated" && message.session_id !== session.id)) return anew();
    if (message.type === "reserved_tokens_updated" || message.type === "compaction_reverted") later();
    if (message.type !== "event") return;
    if (message.event.position > (events[0]?.position ?? 0)) events = [message.event, ...events].slice(0, EVENTS);
    prepend(body, message.event, EVENTS, { open });
    if (message.event.session_id !== session.id) return other(message.event.session_id);
    if (timeline.push(message.event, message.state)) moved = true;
    if (message.state?.session_id === session.id) Object.assign(state, { used: message.state.context_tokens, most: message.state.max_context });
    paint();
    later();
  });
  /** @param {number | null} id */
  function other(id) {
    if (id === null) return;
    elsewhere.hidden = false;
    fill(elsewhere, note("", t("live.elsewhere", { id }), " ", element("a", { href: to(["session", String(id)]) }, t("action.open"))));
  }
  page.whenLeft(pageKeys({ v: () => void preview(session.id), c: async () => { if (await compact(session.id, null)) after(); } }));
}
