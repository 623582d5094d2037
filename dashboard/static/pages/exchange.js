// @ts-check
// One request: what came in, what went out, and what the proxy changed between the two.

import { address, get, optional, post } from "../core/api.js";
import { element, fill, whenQuiet } from "../core/dom.js";
import { duration, moment, money, number, percent } from "../core/formats.js";
import { t } from "../core/texts.js";
import { outcome } from "../parts/badges.js";
import { ask, field } from "../parts/dialog.js";
import { diffOf } from "../parts/diff.js";
import { erasedNote, unlessErased } from "../parts/erased.js";
import { tiles } from "../parts/gauge.js";
import { curlButton, eventLink, fileLink, sessionLink } from "../parts/links.js";
import { messageView, named, wholeText } from "../parts/messages.js";
import { paged } from "../parts/pager.js";
import { onlyNow } from "../parts/past.js";
import { doing } from "../parts/receipts.js";
import { empty, note } from "../parts/states.js";

const PAGE = 12;
const LIMIT = 1000;
const QUIET_MS = 800;
/** What may change an exchange after it has ended, whatever session it is told of. */
const CHANGES = /^(ExchangeReassigned|SessionsMerged|SessionErased|RepricedFrom)$/;

export const past = "read";

/** @param {import("../core/page.js").Page} page @param {string} id */
export async function show(page, id) {
  const path = address(`/api/exchanges/${id}`, { at: page.at });
  let found = await get(path, { signal: page.signal });
  if (page.left) return;
  const again = async () => {
    try {
      const now = await get(path, { signal: page.signal });
      if (JSON.stringify(now) === JSON.stringify(found)) return;
      found = now;
      await draw(page, id, found, again);
    } catch {
      // the connection tells
    }
  };
  const quiet = whenQuiet(() => void again(), QUIET_MS);
  page.whenLeft(quiet.stop);
  page.follow((message) => {
    const type = message.event?.type ?? "";
    if (message.type === "resync" || CHANGES.test(type) || (found.outcome === "running" && type.startsWith("Exchange"))) quiet();
  });
  await draw(page, id, found, again);
}

/** @param {import("../core/page.js").Page} page @param {string} id @param {any} found @param {() => Promise<void>} again */
async function draw(page, id, found, again) {
  const { at } = page;
  const path = address(`/api/exchanges/${id}`, { at });
  const owner = (await optional(address(`/api/sessions/${found.session_id}`, { metrics_limit: 0, at }), { signal: page.signal }))?.session ?? null;
  if (page.left) return;
  const move = element("button", { type: "button", click: () => void reassign(found, move, again) }, t("exchange.reassign"));
  const both = element("div", {});
  fill(page.root,
    element("div", { class: "head" }, element("h1", {}, t("exchange.title", { id })), outcome(found),
      element("div", { class: "actions" }, fileLink("JSON", path, `exchange-${id}.json`), curlButton(path), unlessErased(owner, onlyNow(page, move)))), erasedNote(owner),
    figures(found), element("section", { class: "card five", "aria-label": t("exchange.facts") }, element("header", {}, element("h2", {}, t("exchange.facts"))), facts(found, at)),
    element("section", { class: "card seven", "aria-label": t("exchange.changed") }, element("header", {}, element("h2", {}, t("exchange.changed"))), changed(found)),
    element("section", { class: "card", "aria-label": t("exchange.both") }, element("header", {}, element("h2", {}, t("exchange.both"))), both));
  await page.into(both, () => panes(found, at, page.signal));
}

/** @param {any} found */
function figures(found) {
  const { usage, timings, reduction } = found;
  const made = tiles([["in", t("exchange.in")], ["out", t("exchange.out")], ["saved", t("tile.saved")], ["cost", t("tile.cost")], ["time", t("exchange.duration")], ["overhead", t("exchange.overhead")]], "six");
  made.set({ in: number(usage.prompt_tokens || found.sent.tokens), out: number(usage.completion_tokens), saved: reduction.applied ? number(reduction.tokens_saved) : "0",
    cost: money(found.cost_usd), time: duration(timings.duration_ms), overhead: duration(timings.overhead_ms) }, {
    in: usage.cached_tokens ? t("exchange.cached", { percent: percent((100 * usage.cached_tokens) / Math.max(usage.prompt_tokens, 1)) }) : t(`counted.${usage.source}`),
    time: timings.ttft_ms === null ? "" : t("exchange.first-byte", { time: duration(timings.ttft_ms) }),
    out: usage.reasoning_tokens ? t("exchange.reasoning", { n: number(usage.reasoning_tokens) }) : "" });
  return made.node;
}

/** @param {any} found @param {number | null} at */
function facts(found, at) {
  const { positions, resolution } = found;
  /** @type {[string, any][]} */
  const rows = [
    [t("event.session"), [sessionLink(found.session_id, at), found.moved_from ? [" ← ", sessionLink(found.moved_from, at)] : null].flat()],
    [t("exchange.started"), moment(found.started_at)], [t("exchange.rule"), element("code", {}, resolution.rule + (resolution.branch ? ` · ${resolution.branch}` : ""))],
    [t("session.model"), [named(found.model_sent), found.model_requested && found.model_requested !== found.model_sent ? [" ← ", named(found.model_requested)] : null].flat()],
    [t("exchange.provider"), named(found.provider)], [t("session.client"), named(found.client_family)],
    [t("exchange.status"), [String(found.http_status ?? "–"), found.finish_reason ? ` · ${found.finish_reason}` : "", found.stream ? ` · ${t("exchange.stream")}` : ""].join("")],
    [t("exchange.attempts"), String(found.attempts)],
    [t("exchange.events"), [eventLink(positions.started), positions.finished ? [" → ", eventLink(positions.finished)] : null].flat()],
  ];
  return element("div", { class: "stack" }, found.error ? note("bad", element("code", {}, found.error.code), " ", found.error.message ?? "") : null,
    element("dl", { class: "facts" }, rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])));
}

/** @param {any} found */
function changed(found) {
  const { reduction, sent, received, diff } = found;
  if (sent.identical) return empty(t("exchange.identical"), reduction.skipped_reason ? t("exchange.skipped", { reason: reduction.skipped_reason }) : t("exchange.identical-more"));
  return element("div", { class: "stack" },
    element("p", {}, t("exchange.counts", { before: number(received.count), after: number(sent.count), saved: number(reduction.tokens_saved) })),
    element("ul", {}, reduction.steps.map((/** @type {any} */ step) => element("li", {}, t("exchange.step", { stage: step.stage, n: number(step.count), saved: number(step.tokens_saved) })))),
    diff.removed.length ? [element("h3", {}, t("exchange.removed", { n: number(diff.removed.length) })), paged(diff.removed, 4, (message) => messageView(message, { kind: "removed", small: true }))] : null,
    diff.added.length ? [element("h3", {}, t("exchange.added", { n: number(diff.added.length) })), paged(diff.added, 4, (message) => messageView(message, { kind: "added", small: true }))] : null);
}

/** @param {any} found @param {number | null} at @param {AbortSignal} signal */
async function panes(found, at, signal) {
  const ask = (/** @type {string} */ view) => get(address(`/api/sessions/${found.session_id}/messages`, { exchange_id: found.id, view, content: "full", limit: LIMIT, at }), { signal });
  const [received, sent] = await Promise.all([ask("received"), ask("sent")]);
  const gone = new Set(found.diff.removed.map((/** @type {any} */ message) => message.ref));
  const rewritten = new Map(found.diff.rewritten.map((/** @type {any} */ pair) => [pair.ref_after, pair.ref_before]));
  const before = new Map(received.messages.map((/** @type {any} */ message) => [message.ref, message]));
  for (const pair of found.diff.rewritten) gone.delete(pair.ref_before);
  const list = (/** @type {any[]} */ messages, /** @type {(message: any) => any} */ view) => (messages.length ? paged(messages, PAGE, view) : empty(t("message.empty")));
  const after = (/** @type {any} */ message) => {
    const old = before.get(rewritten.get(message.ref));
    const shown = messageView(message, { kind: old ? "rewritten" : message.origin === "proxy" ? "added" : "", small: true });
    if (old) shown.append(element("details", {}, element("summary", {}, t("diff.title")), diffOf(t("diff.title"), wholeText(old), wholeText(message))));
    return shown;
  };
  const pane = (/** @type {string} */ name, /** @type {any} */ part, /** @type {(message: any) => any} */ view) => element("section", { "aria-label": t(`context.${name}`) },
    element("h3", {}, `${t(`context.${name}`)} · ${t("context.count", { count: part.total, n: number(part.total), tokens: number(part.tokens) })}`), list(part.messages, view));
  return element("div", { class: "panes" },
    pane("received", received, (message) => messageView(message, { kind: gone.has(message.ref) ? "removed" : "", small: true })), pane("sent", sent, after));
}

/** @param {any} found @param {HTMLButtonElement} button @param {() => Promise<void>} again */
async function reassign(found, button, again) {
  const answer = await ask({ title: t("exchange.reassign"), yes: t("action.move"), body: [element("p", {}, t("exchange.reassign-what")),
    field(t("exchange.target"), "target", { type: "number", min: 1, required: true }),
    element("label", { class: "check" }, element("input", { type: "checkbox", name: "following" }), t("exchange.following"))] });
  if (!answer) return;
  const body = { session_id: Number(answer.target), following: answer.following === "on" };
  if (await doing(button, () => post(`/api/exchanges/${found.id}/reassign`, body))) await again();
}
