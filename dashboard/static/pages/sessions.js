// @ts-check
// All sessions: how full each is, and what can be done with them.

import { address, get, list, optional, post, send } from "../core/api.js";
import { element, fill, whenQuiet } from "../core/dom.js";
import { ago, money, number } from "../core/formats.js";
import { go, note, to } from "../core/router.js";
import { t } from "../core/texts.js";
import { badge } from "../parts/badges.js";
import { ask, choice, field } from "../parts/dialog.js";
import { gaugeCell } from "../parts/gauge.js";
import { csvButton, fileLink } from "../parts/links.js";
import { named } from "../parts/messages.js";
import { pager } from "../parts/pager.js";
import { onlyNow } from "../parts/past.js";
import { doing } from "../parts/receipts.js";
import { empty } from "../parts/states.js";
import { table } from "../parts/table.js";
import { actionsOf } from "../parts/session_actions.js";

const SIZE = 25;
const TYPED_MS = 250;
const AT_ONCE = 4;
export const past = "read";

/** @param {import("../core/page.js").Page} page */
export async function show(page) {
  await new Sessions(page).begin();
}

class Sessions {
  /** @param {import("../core/page.js").Page} page */
  constructor(page) {
    this.page = page;
    this.q = page.query.get("q") ?? "";
    this.offset = Number(page.query.get("offset") ?? 0);
    /** @type {any[]} */
    this.rows = [];
    /** @type {Set<number>} */
    this.chosen = new Set();
    this.holder = element("div", { class: "scroll" });
    this.title = element("h2", {}, t("rail.sessions"));
    this.bulk = element("div", { class: "row", hidden: true });
    this.typed = whenQuiet(() => { this.offset = 0; void this.load(); }, TYPED_MS);
    this.quiet = whenQuiet(() => void this.load(), 800);
  }

  async begin() {
    const { page } = this;
    const search = element("input", { type: "search", value: this.q, placeholder: t("sessions.search"), "aria-label": t("sessions.search"),
      input: () => { this.q = search.value; this.typed(); } });
    const query = () => address("/api/sessions", { q: this.q, limit: 1000, at: page.at });
    const csv = csvButton("sessions.csv", () => ({ head: ["id", "name", "provider", "model", "created_at", "is_active", "compaction_count"],
      rows: this.rows.map((row) => [row.id, row.name, row.provider, row.model, row.created_at, row.is_active, row.compaction_count]) }));
    fill(page.root,
      element("div", { class: "head" }, element("h1", {}, t("rail.sessions")), element("div", { class: "actions" }, search,
        onlyNow(page, element("button", { type: "button", class: "primary", id: "new-session", click: () => void this.create() }, t("sessions.new"))))),
      element("section", { class: "card", "aria-label": t("rail.sessions") },
        element("header", {}, this.title, this.bulk, element("div", { class: "tools" }, fileLink("JSON", query(), "sessions.json"), csv)), this.holder));
    page.whenLeft(this.typed.stop);
    page.whenLeft(this.quiet.stop);
    page.follow((message) => this.#hear(message));
    await this.load();
  }

  /** @param {any} message */
  #hear(message) {
    if (/session|resync|compaction_event/.test(message.type)) return this.quiet();
    if (message.type !== "event" || !message.state) return;
    const cell = this.holder.querySelector(`[data-gauge="${Number(message.state.session_id)}"]`);
    if (cell) fill(cell, gaugeCell(message.state.context_tokens, message.state.max_context));
    const last = this.holder.querySelector(`[data-last="${Number(message.event.session_id)}"]`);
    if (last) fill(last, ago(message.event.timestamp));
  }

  async load() {
    note({ q: this.q, offset: this.offset || "" }, this.page.place.path);
    await this.page.into(this.holder, async () => {
      const found = await list(address("/api/sessions", { q: this.q, limit: SIZE, offset: this.offset, at: this.page.at }), { signal: this.page.signal });
      this.rows = found.rows;
      fill(this.title, t("sessions.count", { count: found.total, n: number(found.total) }));
      if (!found.rows.length) return empty(t(this.q ? "filter.none" : "sessions.none"), this.q ? "" : t("sessions.none-more"));
      const turn = (/** @type {number} */ offset) => { this.offset = offset; void this.load(); };
      void this.#details(found.rows);
      return element("div", { class: "stack" }, this.#table(found.rows), pager({ total: found.total, offset: this.offset, size: SIZE, turn }));
    });
  }

  /** @param {any[]} rows */
  #table(rows) {
    const { at, past: then } = this.page;
    const placeOf = (/** @type {any} */ row) => to(["session", String(row.id)], { at });
    const open = (/** @type {any} */ row) => go(placeOf(row));
    const actions = (/** @type {any} */ row) => (then ? "" : actionsOf(row, () => void this.load()));
    const parent = (/** @type {any} */ row) => (row.parent_id ? element("small", { class: "muted" }, " ↳ ", t("session.child", { id: row.parent_id })) : null);
    return table({ caption: t("rail.sessions"), rows, open, key: (row) => row.id, columns: [
      { label: t("sessions.choose"), hide: true, show: (row) => onlyNow(this.page, element("div", {}, this.#check(row))) },
      { label: "#", className: "number mono", show: (row) => row.id },
      { label: t("session.name"), show: (row) => [element("a", { class: "name", href: placeOf(row) }, named(row.name)), " ",
        row.erased ? badge(t("session.erased"), "bad") : row.is_active ? badge(t("session.active"), "ok") : null, parent(row), element("div", { class: "narrow" }, actions(row))] },
      { label: t("session.model"), className: "wide", show: (row) => named(row.model ?? row.provider) },
      { label: t("session.client"), className: "wide", show: (row) => named(row.client_family) },
      { label: t("gauge.title"), className: "gauge-cell", show: (row) => element("div", { "data-gauge": row.id }, "–") },
      { label: t("tile.cost"), className: "number wide", show: (row) => element("span", { "data-cost": row.id }, "–") },
      { label: t("tile.compactions"), className: "number wide", show: (row) => number(row.compaction_count) },
      { label: t("tile.last"), className: "nowrap wide", show: (row) => element("span", { "data-last": row.id }, ago(row.created_at)) },
      { label: t("session.actions"), hide: true, className: "nowrap wide", show: actions },
    ] });
  }

  /** @param {any} row */
  #check(row) {
    const box = element("input", { type: "checkbox", "aria-label": t("sessions.choose-one", { id: row.id }), change: () => {
      if (box.checked) this.chosen.add(row.id);
      else this.chosen.delete(row.id);
      this.#bulk();
    } });
    box.checked = this.chosen.has(row.id);
    return box;
  }

  #bulk() {
    this.bulk.hidden = !this.chosen.size;
    const remove = element("button", { type: "button", class: "small danger", id: "delete-chosen", click: () => void this.#remove(remove) }, t("action.delete"));
    const merge = element("button", { type: "button", class: "small", disabled: this.chosen.size < 2, click: () => void this.#merge(merge) }, t("action.merge"));
    fill(this.bulk, element("span", { class: "small" }, t("sessions.chosen", { count: this.chosen.size })), remove, merge);
  }

  /** @param {HTMLButtonElement} button */
  async #remove(button) {
    const ids = [...this.chosen];
    const sure = await ask({ title: t("sessions.delete-title", { count: ids.length }), body: [element("p", {}, t("sessions.delete-more"))], yes: t("action.delete"), danger: true });
    if (sure && await doing(button, () => send("DELETE", "/api/sessions", { session_ids: ids }))) this.#done();
  }

  /** @param {HTMLButtonElement} button */
  async #merge(button) {
    const ids = [...this.chosen].sort((a, b) => a - b);
    const answer = await ask({ title: t("sessions.merge-title"), yes: t("action.merge"), body: [element("p", {}, t("sessions.merge-more")),
      choice(t("sessions.merge-into"), "target", ids.map((id) => [String(id), `#${id} ${this.rows.find((row) => row.id === id)?.name ?? ""}`]))] });
    if (!answer) return;
    const sources = ids.filter((id) => String(id) !== answer.target);
    if (await doing(button, () => post(`/api/sessions/${answer.target}/merge`, { source_ids: sources }))) this.#done();
  }

  #done() {
    this.chosen.clear();
    this.#bulk();
    void this.load();
  }

  /** How full each context is; a few at once, and lists never carry it. @param {any[]} rows */
  async #details(rows) {
    const waiting = rows.filter((row) => !row.erased_at);
    const { signal } = this.page;
    void this.#costs();
    const next = async () => {
      for (let row = waiting.shift(); row && !this.page.left; row = waiting.shift()) {
        const found = await get(address(`/api/sessions/${row.id}`, { metrics_limit: 1, at: this.page.at }), { signal }).catch(() => null);
        if (!found) continue;
        const put = (/** @type {string} */ name, /** @type {any} */ value) => {
          const cell = this.holder.querySelector(`[data-${name}="${row.id}"]`);
          if (cell) fill(cell, value);
        };
        put("gauge", gaugeCell(found.context.current_tokens, found.context.max_context));
        put("last", ago(found.recent_metrics[0]?.timestamp ?? row.created_at));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
  }

  async #costs() {
    const found = await optional(address("/api/usage", { group_by: "session", limit: 1000, at: this.page.at }), { signal: this.page.signal }).catch(() => null);
    for (const group of found?.groups ?? []) {
      const cell = this.holder.querySelector(`[data-cost="${Number(group.key)}"]`);
      if (cell) fill(cell, money(group.cost_usd));
    }
  }

  async create() {
    const models = (await get("/api/models").catch(() => [])).map((/** @type {any} */ model) => [model.key, model.key]);
    const answer = await ask({ title: t("sessions.new"), yes: t("action.create"), body: [
      field(t("session.name"), "name", { maxlength: 200, placeholder: t("sessions.name-hint") }), choice(t("session.model"), "model", [["", t("sessions.any-model")], ...models])] });
    if (!answer) return;
    const body = { ...(answer.name.trim() ? { name: answer.name.trim() } : {}), ...(answer.model ? { model: answer.model } : {}) };
    if (await doing(null, () => post("/api/sessions", body))) void this.load();
  }
}
