// @ts-check
// Memories said shorter, or put together where they say nearly the same: seen first, then done, and undone by restoring.

import { element, fill } from "../core/dom.js";
import { live } from "../core/live.js";
import { number } from "../core/formats.js";
import { t } from "../core/texts.js";
import { choice, field } from "./dialog.js";
import { doing, receiptOf, tell } from "./receipts.js";
import { empty } from "./states.js";
import { table } from "./table.js";

/** @param {import("../core/page.js").Page} page @param {() => void} after */
export function compressMemories(page, after) {
  const result = element("div", {});
  const asked = () => {
    const data = new FormData(form);
    const session = Number(data.get("session"));
    return { strategy: String(data.get("strategy")), threshold: Number(data.get("threshold")), ...(session ? { session_id: session } : {}) };
  };
  const show = element("button", { type: "submit" }, t("action.preview"));
  const work = element("button", { type: "button", class: "danger", "data-do": "compress", hidden: true, click: async () => {
    const done = await doing(work, () => live.ask("memory_compress_execute", asked()));
    if (!done || page.left) return;
    work.hidden = true;
    tell(done.result.success ? t("memory.compressed", { before: number(done.result.current_count), after: number(done.result.projected_count), saved: done.result.space_saved }) : done.result.message ?? t("memory.compress-nothing"));
    void receiptOf(done.requestId);
    fill(result, null);
    after();
  } }, t("memory.compress-do"));
  const form = element("form", { class: "stack", id: "memory-compress", input: () => { work.hidden = true; }, submit: async (/** @type {Event} */ event) => {
    event.preventDefault();
    const answer = await doing(show, () => live.ask("memory_compress_preview", asked()));
    if (!answer || page.left) return;
    work.hidden = !answer.result.preview.length;
    fill(result, preview(answer.result));
  } }, element("p", { class: "muted small" }, t("memory.compress-what")),
  element("div", { class: "row" }, choice(t("memory.strategy"), "strategy", [["token", t("memory.strategy-token")], ["semantic", t("memory.strategy-semantic")]]),
    field(t("memory.compress-threshold"), "threshold", { type: "number", min: 0, max: 1, step: 0.05, value: 0.5, required: true }), field(t("event.session"), "session", { type: "number", min: 1 }), show, work), result);
  return form;
}

/** @param {any} result */
function preview(result) {
  if (!result.preview.length) return empty(t("memory.compress-nothing"));
  return element("div", { class: "stack" }, element("p", {}, t("memory.would", { before: number(result.current_count), after: number(result.projected_count), saved: result.space_saved })),
    table({ caption: t("memory.compress"), rows: result.preview, columns: [
      { label: t("memory.step"), className: "nowrap", show: (row) => t(`memory.step-${row.action}`) }, { label: t("memory.text"), className: "wide", show: (row) => element("bdi", { class: "clamp" }, row.preview) }, { label: t("memory.count"), className: "number", show: (row) => number(row.items) },
      { label: t("memory.tokens"), className: "number", show: (row) => number(row.tokens) }] }));
}
