// @ts-check
// What was taken out of a session's context, how it can be had back, and how it is decided.

import { address, get } from "../core/api.js";
import { element, fill, whenQuiet } from "../core/dom.js";
import { clock, number, percent } from "../core/formats.js";
import { pageKeys } from "../core/keys.js";
import { t } from "../core/texts.js";
import { mark } from "../parts/badges.js";
import { compact, compactButtons, preview, previewButton, undo, undoes } from "../parts/compacting.js";
import { erasedNote, unlessErased } from "../parts/erased.js";
import { savedChart } from "../parts/saved_chart.js";
import { tiles } from "../parts/gauge.js";
import { csvButton, fileLink } from "../parts/links.js";
import { pager } from "../parts/pager.js";
import { onlyNow } from "../parts/past.js";
import { tell } from "../parts/receipts.js";
import { removedView } from "../parts/removed.js";
import { sessionHead, sessionTabs } from "../parts/session_head.js";
import { settingsCard, simulateCard } from "../parts/compaction_settings.js";
import { empty } from "../parts/states.js";
import { table } from "../parts/table.js";

const SIZE = 20;
export const past = "read";

/** @param {import("../core/page.js").Page} page @param {string} id */
export async function show(page, id) {
  const detail = await get(address(`/api/sessions/${id}`, { metrics_limit: 0, at: page.at }), { signal: page.signal });
  if (!page.left) await new Compactions(page, id, detail).begin();
}

class Compactions {
  /** @param {import("../core/page.js").Page} page @param {string} id @param {any} detail */
  constructor(page, id, detail) {
    this.page = page;
    this.id = id;
    this.session = { ...detail.session, then: page.past };
    this.offset = 0;
    /** @type {any[]} */
    this.rows = [];
    /** @type {number | null} */
    this.selected = null;
    /** What undoing without a choice undoes: the last one in force. @type {any} */
    this.latest = null;
    this.undoButton = element("button", { type: "button", id: "undo-button", disabled: true, click: () => void this.#undo(this.undoButton, this.latest) }, t("action.undo"));
    this.list = element("div", { class: "scroll" });
    this.detail = element("div", {}, empty(t("compactions.choose")));
    this.settings = element("div", { class: "stack" });
    this.tiles = tiles([["count", t("tile.compactions")], ["saved", t("tile.saved")], ["ratio", t("tile.ratio")], ["context", t("gauge.title")]]);
    this.chart = savedChart();
  }

  async begin() {
    const { page } = this;
    const csv = csvButton(`compactions-${this.id}.csv`, () => ({ head: ["kind", "id", "timestamp", "tokens_before", "tokens_after", "tokens_saved", "ratio", "trigger", "reverted_at"],
      rows: this.rows.map((row) => [row.kind, row.id, row.timestamp, row.tokens_before, row.tokens_after, row.tokens_saved, row.compaction_ratio, row.trigger_reason, row.reverted_at]) }));
    const after = () => void this.load();
    const buttons = page.past ? [previewButton(this.id, page.at)] : [this.undoButton, ...compactButtons(this.id, after)];
    for (const button of buttons) unlessErased(this.session, button);
    fill(page.root, sessionHead(this.session, buttons), sessionTabs(this.id, "compactions", page.at), erasedNote(this.session), this.tiles.node, this.chart.node,
      element("div", { class: "seven column" }, element("section", { class: "card", "aria-label": t("session.compactions") },
        element("header", {}, element("h2", {}, t("session.compactions")), element("div", { class: "tools" },
          fileLink("JSON", address(`/api/compaction/${this.id}/history`, { kind: "all", limit: 1000, at: page.at }), `compactions-${this.id}.json`), csv)), this.list),
        element("section", { class: "card", "aria-label": t("compactions.settings") }, element("header", {}, element("h2", {}, t("compactions.settings"))), this.settings),
        simulateCard(this.id)),
      element("section", { class: "card five", "aria-label": t("compactions.removed") }, element("header", {}, element("h2", {}, t("compactions.removed"))), this.detail));

    const quiet = whenQuiet(() => void this.load(), 300);
    page.whenLeft(quiet.stop);
    page.whenLeft(() => this.chart.chart.end?.());
    page.follow((message) => {
      if (message.type === "resync") quiet();
      if (/compact|compress|reserved_tokens/.test(message.type) && message.session_id === Number(this.id)) quiet();
    });
    if (!this.session.erased_at) {
      page.whenLeft(pageKeys({ v: () => void preview(this.id, page.at), ...(page.past ? {} : {
        c: async () => { if (await compact(this.id, null)) after(); }, z: () => void this.#undo(null, this.latest) }) }));
    }
    await this.load();
  }

  /** @param {HTMLButtonElement | null} button @param {any} row */
  async #undo(button, row) {
    if (!row) return tell(t("undo.nothing"));
    if (await undo(this.id, button, row)) await this.load();
  }

  async load() {
    await this.page.into(this.list, async () => {
      const how = { signal: this.page.signal };
      const { at } = this.page;
      const read = (/** @type {string} */ name, /** @type {any} */ query = {}) => get(address(`/api/compaction/${this.id}/${name}`, { ...query, at }), how);
      const [history, newest, chart, stats, status, compress] = await Promise.all([
        read("history", { kind: "all", limit: SIZE, offset: this.offset }), this.offset ? read("history", { kind: "all", limit: SIZE }) : null,
        read("history-chart", { limit: 500 }), read("stats"), read("auto-status"), get(address(`/api/compress/${this.id}/stats`, { at }), how)]);
      this.rows = history.history;
      this.#last((newest ?? history).history);
      this.#figures(stats, compress);
      this.chart.set(chart);
      this.#settle(unlessErased(this.session, onlyNow(this.page, settingsCard(this.id, stats, status, compress, () => void this.load()))));
      if (!this.rows.length) return empty(t("compactions.none"), t("compactions.none-more"));
      if (this.selected === null) this.open(this.rows[0]);
      const turn = (/** @type {number} */ offset) => { this.offset = offset; void this.load(); };
      return element("div", { class: "stack" }, this.#table(), pager({ total: history.total_entries, offset: this.offset, size: SIZE, turn }));
    });
  }

  /** What is being filled in stays when the card is made anew. @param {Element} card */
  #settle(card) {
    const focused = document.activeElement?.id;
    for (const old of this.settings.querySelectorAll("input")) {
      const input = /** @type {HTMLInputElement | null} */ (card.querySelector(`#${old.id}`));
      if (!input) continue;
      if (old.value !== old.defaultValue) input.value = old.value;
      input.checked = old.checked;
    }
    const inside = this.settings.contains(document.activeElement);
    fill(this.settings, card);
    if (inside && focused) /** @type {HTMLElement | null} */ (this.settings.querySelector(`#${focused}`))?.focus();
  }

  /** @param {any[]} rows newest first */
  #last(rows) {
    this.latest = rows.find((row) => !row.reverted_at) ?? null;
    if (this.session.erased_at) return;
    this.undoButton.disabled = !this.latest;
    this.undoButton.title = this.latest ? undoes(this.latest) : t("undo.nothing");
  }

  /** @param {any} stats @param {any} compress */
  #figures(stats, compress) {
    const { compaction, context } = stats;
    const { total_original_tokens: before, total_compressed_tokens: kept } = compress.compression_stats;
    const inForce = compaction.history.filter((/** @type {any} */ row) => !row.reverted_at);
    this.tiles.set({ count: number(compaction.compaction_count), saved: number(compaction.total_tokens_saved + before - kept),
      ratio: inForce.length ? percent(inForce[0].compaction_ratio) : "–", context: percent(context.percentage) }, {
      context: t("gauge.of", { n: number(context.max_context) }), count: t("compactions.compressions", { count: compress.compression_stats.total_compressions, n: number(compress.compression_stats.total_compressions) }) });
  }

  #table() {
    const open = (/** @type {any} */ row) => this.open(row);
    return table({ caption: t("session.compactions"), rows: this.rows, open, key: (row) => row.id, current: (row) => row.id === this.selected, columns: [
      { label: "#", className: "number mono", show: (row) => row.id },
      { label: t("event.time"), className: "nowrap wide", show: (row) => clock(row.timestamp) },
      { label: t("compactions.before-after"), className: "number", show: (row) => `${number(row.tokens_before)} → ${number(row.tokens_after)}` },
      { label: t("tile.saved"), className: "number wide", show: (row) => [number(row.tokens_saved), element("div", { class: "muted small" }, percent(row.compaction_ratio))] },
      { label: t("compactions.kind"), show: (row) => [t(`compactions.kind-${row.kind}`), element("div", { class: "muted small nowrap" }, t(`trigger.${row.trigger_reason}`))] },
      { label: t("compactions.state"), show: (row) => (row.reverted_at ? mark(t("compactions.reverted"), "") : mark(t("compactions.in-force"), "ok")) },
      { label: t("session.actions"), hide: true, show: (row) => (row.reverted_at || this.page.past ? "" : unlessErased(this.session, element("button", { type: "button", class: "small", "aria-label": `${t("action.undo")} #${row.id}`, title: undoes(row),
        click: (/** @type {any} */ event) => void this.#undo(event.currentTarget, row) }, t("action.undo")))) },
    ] });
  }

  /** @param {any} row */
  open(row) {
    this.selected = row.id;
    for (const line of this.list.querySelectorAll("tbody tr")) {
      if (/** @type {HTMLElement} */ (line).dataset.key === String(row.id)) line.setAttribute("aria-current", "true");
      else line.removeAttribute("aria-current");
    }
    void this.page.into(this.detail, () => removedView(this.id, row, this.page.signal));
  }
}
