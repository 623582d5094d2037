// @ts-check
// What the proxy remembers: found by likeness, by use, in groups; kept, promoted, let go.

import { address, get, optional, post } from "../core/api.js";
import { element, fill, whenQuiet } from "../core/dom.js";
import { ago, number, percent, short } from "../core/formats.js";
import { t } from "../core/texts.js";
import { mark } from "../parts/badges.js";
import { choice, field } from "../parts/dialog.js";
import { tiles } from "../parts/gauge.js";
import { csvButton, fileLink, sessionLink } from "../parts/links.js";
import { compressMemories } from "../parts/memory_compress.js";
import { memoryOfSession } from "../parts/memory_session.js";
import { memoryDialog } from "../parts/memory_detail.js";
import { pager } from "../parts/pager.js";
import { onlyNow } from "../parts/past.js";
import { doing } from "../parts/receipts.js";
import { empty } from "../parts/states.js";
import { table } from "../parts/table.js";

const SIZE = 20;
export const past = "read";
const TYPES = ["episodic", "frequent", "semantic"];

/** @param {import("../core/page.js").Page} page */
export async function show(page) {
  const figures = tiles([["count", t("memory.count")], ["tokens", t("memory.tokens")], ["used", t("memory.used")], ["share", t("memory.share")]]);
  const method = element("div", { class: "row" });
  const frequent = new Frequent(page);
  const card = (/** @type {string} */ name, /** @type {string} */ shape, /** @type {any[]} */ ...body) => element("section", { class: `card ${shape}`, "aria-label": t(`memory.${name}`) },
    element("header", {}, element("h2", {}, t(`memory.${name}`)), name === "frequent" ? frequent.links : null), body);
  const load = async () => {
    const how = { signal: page.signal };
    const [all, basic] = await Promise.all([optional(address("/api/memory/stats/advanced", { at: page.at }), how), optional(address("/api/memory/stats", { at: page.at }), how)]);
    figures.node.hidden = !all || !basic;
    if (!all || !basic) return;
    const { advanced_stats: stats, features } = all;
    figures.set({ count: number(stats.total_memories), tokens: short(stats.total_tokens), used: number(stats.average_access_count), share: percent(basic.global_memory_ratio) }, {
      count: TYPES.map((type) => `${t(`memory-type.${type}`)} ${number(stats[`${type}_memories`])}`).join(" · "),
      used: t("memory.used-more"), share: t("memory.share-more", { count: basic.sessions_with_memory, n: number(basic.sessions_with_memory) }) });
    fill(method, mark(t(features.qdrant_available || stats.qdrant_connected ? "memory.vectors" : "memory.words"), "ok"));
  };
  await load();
  if (page.left) return;
  fill(page.root, element("div", { class: "head" }, element("h1", {}, t("rail.memory")), element("div", { class: "actions" }, method)), figures.node,
    card("search", "half", onlyNow(page, search(page))), card("frequent", "half", frequent.form, frequent.holder),
    card("session", "half", memoryOfSession(page)), card("keep", "half", onlyNow(page, store(() => void all()))), card("compress", "", onlyNow(page, compressMemories(page, () => void all()))));
  const all = async () => {
    await load().catch(() => undefined);
    await frequent.load();
  };
  const quiet = whenQuiet(() => void all(), 800);
  page.whenLeft(quiet.stop);
  page.follow((message) => { if (message.type === "resync" || message.event?.type.startsWith("Memory")) quiet(); });
  await frequent.load();
}

/** @param {import("../core/page.js").Page} page */
function search(page) {
  const result = element("div", {});
  const form = element("form", { class: "stack", id: "memory-search", submit: async (/** @type {Event} */ event) => {
    event.preventDefault();
    const data = new FormData(form);
    /** @type {[string, FormDataEntryValue | null][]} */
    const numbers = [["limit", data.get("limit")], ["score_threshold", data.get("threshold")], ["session_id", data.get("session")]];
    const given = numbers.filter(([, value]) => value).map(([name, value]) => [name, Number(value)]);
    const body = { query: String(data.get("query")), ...Object.fromEntries(given) };
    const done = await doing(form.querySelector("button"), () => post("/api/memory/similarity", body));
    if (done && !page.left) fill(result, found(page, done.value));
  } }, element("input", { type: "search", name: "query", required: true, maxlength: 8192, placeholder: t("memory.query"), "aria-label": t("memory.query") }),
  element("div", { class: "row" }, field(t("memory.limit"), "limit", { type: "number", min: 1, max: 20, value: 5 }), field(t("memory.threshold"), "threshold", { type: "number", min: 0, max: 1, step: 0.05, value: 0.3 }),
    field(t("event.session"), "session", { type: "number", min: 1 }), element("button", { type: "submit", class: "primary" }, t("memory.find"))), result);
  return form;
}

/** @param {import("../core/page.js").Page} page @param {any} answer */
function found(page, answer) {
  if (!answer.results_count) return empty(t("memory.nothing"), t("memory.nothing-more"));
  return element("div", { class: "stack" }, element("p", { class: "muted small" }, t("memory.found", { count: answer.results_count, method: answer.method })),
    table({ caption: t("memory.search"), rows: answer.results, key: (row) => row.id, open: (row) => void memoryDialog(page, row.id, () => undefined), columns: [
      { label: t("memory.score"), className: "number", show: (row) => percent(100 * row.score) },
      { label: t("memory.text"), show: (row) => element("bdi", { class: "clamp" }, row.content_preview) },
      { label: t("event.session"), className: "number wide", show: (row) => (row.metadata?.session_id ? sessionLink(row.metadata.session_id) : "–") }] }));
}

class Frequent {
  /** @param {import("../core/page.js").Page} page */
  constructor(page) {
    this.page = page;
    this.offset = 0;
    this.least = 0;
    /** @type {any[]} */
    this.rows = [];
    this.holder = element("div", { class: "fixed-height" });
    const least = field(t("memory.least"), "least", { type: "number", min: 0, value: this.least, input: (/** @type {any} */ event) => { this.least = Number(event.target.value) || 0; this.offset = 0; later(); } });
    const later = whenQuiet(() => void this.load(), 300);
    page.whenLeft(later.stop);
    this.form = element("form", { class: "line", submit: (/** @type {Event} */ event) => event.preventDefault() }, least);
    const csv = csvButton("memories.csv", () => ({ head: ["id", "session_id", "type", "tokens", "access_count", "title"], rows: this.rows.map((row) => [row.id, row.session_id, row.type, row.tokens, row.access_count, row.title]) }));
    this.links = element("div", { class: "tools" }, fileLink("JSON", address("/api/memory/frequent", { min_access_count: 0, limit: 200, at: page.at }), "memories.json"), csv);
  }

  async load() {
    await this.page.into(this.holder, async () => {
      const answer = await get(address("/api/memory/frequent", { min_access_count: this.least, limit: SIZE, offset: this.offset, envelope: true, at: this.page.at }), { signal: this.page.signal });
      this.rows = answer.memories;
      if (!answer.total) return empty(t("memory.none"), t("memory.none-more"));
      const turn = (/** @type {number} */ offset) => { this.offset = offset; void this.load(); };
      return element("div", { class: "stack" }, table({ caption: t("memory.frequent"), rows: this.rows, key: (row) => row.id, open: (row) => void memoryDialog(this.page, row.id, () => void this.load()), columns: [
        { label: "#", className: "number mono", show: (row) => row.id },
        { label: t("memory.text"), show: (row) => element("bdi", { class: "clamp" }, row.erased ? t("message.erased") : row.content_preview || row.title) },
        { label: t("event.type"), className: "wide nowrap", show: (row) => t(`memory-type.${row.type}`) },
        { label: t("memory.access"), className: "number", show: (row) => number(row.access_count) },
        { label: t("content.size"), className: "number wide", show: (row) => number(row.tokens) },
        { label: t("event.session"), className: "number wide", show: (row) => sessionLink(row.session_id, this.page.at) },
        { label: t("memory.last"), className: "nowrap wide", show: (row) => ago(row.last_accessed) }] }),
      pager({ total: answer.total, offset: this.offset, size: SIZE, turn }));
    });
  }
}

/** @param {() => void} after */
function store(after) {
  const form = element("form", { class: "stack", id: "memory-store", submit: async (/** @type {Event} */ event) => {
    event.preventDefault();
    const data = new FormData(form);
    const path = address("/api/memory/store", { session_id: data.get("session") });
    if (!await doing(form.querySelector("button"), () => post(path, { content: data.get("content"), memory_type: data.get("type") }))) return;
    form.reset();
    after();
  } }, element("textarea", { name: "content", required: true, minlength: 10, "aria-label": t("memory.text") }),
  element("div", { class: "row" }, field(t("event.session"), "session", { type: "number", min: 1, required: true }),
    choice(t("event.type"), "type", TYPES.map((type) => [type, t(`memory-type.${type}`)])), element("button", { type: "submit" }, t("memory.keep-do"))));
  return form;
}
