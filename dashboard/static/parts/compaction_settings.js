// @ts-check
// How a session is compacted: automatically or not, what is kept free, summaries, and a simulation.

import { post } from "../core/api.js";
import { element, fill } from "../core/dom.js";
import { duration, number, percent } from "../core/formats.js";
import { t } from "../core/texts.js";
import { mark } from "./badges.js";
import { field } from "./dialog.js";
import { doing, tell } from "./receipts.js";
import { explain, note } from "./states.js";

/** @param {string} id @param {any} stats @param {any} auto @param {any} compress @param {() => void} after */
export function settingsCard(id, stats, auto, compress, after) {
  const { status, alert } = auto;
  const path = `/api/compaction/${id}`;
  const on = status.session_auto_enabled;
  const toggle = element("button", { type: "button", id: "toggle-auto", click: async () => {
    if (await doing(toggle, () => post(`${path}/toggle-auto`, { enabled: !on }))) after();
  } }, t(on ? "auto.switch-off" : "auto.switch-on"));
  const reserved = field(t("compactions.reserved"), "reserved", { type: "number", min: 0, required: true, value: stats.compaction.reserved_tokens, id: "reserved" });
  const keepFree = element("form", { class: "line", submit: async (/** @type {Event} */ event) => {
    event.preventDefault();
    const value = Number(new FormData(keepFree).get("reserved"));
    if (await doing(keepFree.querySelector("button"), () => post(`${path}/reserved`, { reserved_tokens: value }))) after();
  } }, reserved, element("button", { type: "submit" }, t("action.set")));
  return element("div", { class: "stack" },
    alert ? note(alert.level === "critical" ? "bad" : "warn", t("alert.used", { n: number(alert.tokens), most: number(alert.max_context), percent: percent(alert.percentage) })) : null,
    element("div", { class: "row" }, mark(t(on ? "auto.on" : "auto.off"), on ? "ok" : ""), toggle),
    element("dl", { class: "facts small" }, [
      [t("auto.threshold"), percent(100 * status.threshold)], [t("auto.ready"), percent(stats.context.threshold)],
      [t("auto.cooldown"), status.cooldown_remaining_seconds ? t("auto.cooling", { time: duration(1000 * status.cooldown_remaining_seconds) }) : t("auto.minutes", { count: status.cooldown_minutes })],
      [t("auto.in-a-row"), `${status.consecutive_count} / ${status.max_consecutive}`],
    ].flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
    keepFree, compressForm(id, compress, after));
}

/** @param {string} id @param {any} compress @param {() => void} after */
function compressForm(id, compress, after) {
  const { current_context: context, config } = compress;
  const force = element("input", { type: "checkbox", id: "force-compress" });
  const button = element("button", { type: "button", id: "compress-button", click: async () => {
    const done = await doing(button, () => post(`/api/compress/${id}`, { force: force.checked }));
    if (!done) return;
    tell(done.value.compressed ? t("compress.done", { n: number(done.value.tokens_saved) }) : t(`reason.${done.value.reason}`));
    after();
  } }, t("compress.do"));
  return element("div", { class: "stack" }, element("h3", {}, t("compress.title")),
    element("p", { class: "muted small" }, t("compress.what", { keep: number(config.preserve_recent_exchanges), threshold: percent(config.threshold_percentage), now: percent(context.percentage) })),
    element("div", { class: "row" }, button, element("label", { class: "check" }, force, t("compress.force"))));
}

/** @param {string} id */
export function simulateCard(id) {
  const text = element("textarea", { name: "messages", "aria-label": t("simulate.messages"), placeholder: '[{"role": "user", "content": "…"}, …]' });
  const result = element("div", {});
  const form = element("form", { class: "stack", submit: async (/** @type {Event} */ event) => {
    event.preventDefault();
    fill(result); // it was that of other messages
    let messages;
    try {
      messages = JSON.parse(text.value);
    } catch (error) {
      return void fill(result, note("bad", t("simulate.invalid"), " ", explain(error)));
    }
    const done = await doing(form.querySelector("button"), () => post(`/api/compaction/${id}/simulate`, { messages }));
    if (done) fill(result, simulated(done.value.result));
  } }, text, element("div", {}, element("button", { type: "submit" }, t("simulate.do"))), result);
  return element("section", { class: "card", "aria-label": t("simulate.title") }, element("header", {}, element("h2", {}, t("simulate.title"))),
    element("p", { class: "muted small" }, t("simulate.what")), form);
}

/** @param {any} result */
function simulated(result) {
  if (!result.compacted) return note("warn", t(`reason.${result.reason}`));
  return note("ok", t("compact.estimate", { before: number(result.original_tokens), after: number(result.compacted_tokens) }), " · ",
    t("compact.saves", { n: number(result.tokens_saved), percent: percent(result.compaction_ratio) }));
}
