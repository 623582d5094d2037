// @ts-check
// What became of the session between two moments: its fields, its events, and the messages of its context.

import { address, get } from "../core/api.js";
import { element, fill } from "../core/dom.js";
import { number } from "../core/formats.js";
import { t } from "../core/texts.js";
import { field } from "../parts/dialog.js";
import { curlButton, fileLink } from "../parts/links.js";
import { messageView } from "../parts/messages.js";
import { paged } from "../parts/pager.js";
import { empty } from "../parts/states.js";
import { table } from "../parts/table.js";

const PAGE = 6;

export class Comparing {
  /** @param {import("../core/page.js").Page} page @param {string} session @param {() => number} here the event that is looked at */
  constructor(page, session, here) {
    this.page = page;
    this.session = session;
    this.result = element("div", {});
    this.tools = element("div", { class: "row" });
    const bound = (/** @type {string} */ name) => {
      const input = /** @type {HTMLInputElement} */ (element("input", { name, required: true, maxlength: 64, placeholder: t("filter.moment-hint"), "aria-label": t(`filter.${name}`) }));
      const take = element("button", { type: "button", class: "small", "data-take": name, click: () => { input.value = String(here()); } }, t("compare.here"));
      return { input, node: element("div", { class: "row" }, element("span", { class: "muted small" }, t(`filter.${name}`)), input, take) };
    };
    this.from = bound("from");
    this.to = bound("to");
    this.form = element("form", { class: "line", id: "compare", submit: (/** @type {Event} */ event) => { event.preventDefault(); void this.load(); } },
      this.from.node, this.to.node, element("button", { type: "submit" }, t("compare.do")), this.tools);
    this.box = element("details", {}, element("summary", {}, t("compare.title")), element("div", { class: "stack" }, this.form, this.result));
    this.node = element("section", { class: "card", "aria-label": t("compare.title") }, this.box);
  }

  async load() {
    const path = address(`/api/sessions/${this.session}/diff`, { from: this.from.input.value.trim(), to: this.to.input.value.trim() });
    fill(this.tools, fileLink("JSON", path, `session-${this.session}-diff.json`), curlButton(path));
    await this.page.into(this.result, async () => difference(await get(path, { signal: this.page.signal })));
  }
}

/** @param {any} found */
function difference({ from, to, events, tokens, changes, messages }) {
  const part = (/** @type {string} */ name, /** @type {any[]} */ list, /** @type {(message: any) => any} */ view) => (list.length
    ? [element("h3", {}, t(`compare.${name}`, { count: list.length, n: number(list.length) })), paged(list, PAGE, view)] : null);
  const nothing = !changes.length && !messages.added.length && !messages.removed.length && !messages.rewritten.length;
  return element("div", { class: "stack", "data-compared": `${from}-${to}` },
    element("p", {}, t("compare.sum", { count: events, n: number(events), before: number(tokens.before), after: number(tokens.after) })),
    nothing ? empty(t("compare.nothing")) : null,
    changes.length ? table({ caption: t("compare.fields"), rows: changes, key: (row) => row.field, columns: [
      { label: t("compare.field"), show: (row) => element("code", {}, row.field) }, { label: t("compare.before"), show: (row) => value(row.before) },
      { label: t("compare.after"), show: (row) => value(row.after) }] }) : null,
    part("removed", messages.removed, (message) => messageView(message, { kind: "removed", small: true })),
    part("added", messages.added, (message) => messageView(message, { kind: "added", small: true })),
    part("rewritten", messages.rewritten, (pair) => element("div", { class: "row small" }, element("code", {}, pair.ref_before.slice(0, 12)), "→", element("code", {}, pair.ref_after.slice(0, 12)),
      typeof pair.tokens_saved === "number" ? element("span", { class: "muted" }, t("compare.saved", { n: number(pair.tokens_saved) })) : null)));
}

/** @param {any} of */
const value = (of) => element("bdi", { class: "clamp" }, of === null ? "–" : typeof of === "object" ? JSON.stringify(of) : String(of));
