// @ts-check
// Outputs of tools that were masked: what stands in their place, and the originals.

import { Refused, address, get, post } from "../core/api.js";
import { element, fill, whenQuiet } from "../core/dom.js";
import { moment, number, short } from "../core/formats.js";
import { note, to } from "../core/router.js";
import { t } from "../core/texts.js";
import { badge } from "../parts/badges.js";
import { field } from "../parts/dialog.js";
import { tiles } from "../parts/gauge.js";
import { copy, csvButton, curlButton, fileLink, save, sessionLink } from "../parts/links.js";
import { named } from "../parts/messages.js";
import { pager } from "../parts/pager.js";
import { onlyNow } from "../parts/past.js";
import { doing } from "../parts/receipts.js";
import { empty, note as noted } from "../parts/states.js";
import { table } from "../parts/table.js";

const SIZE = 25;
export const past = "read";

/** @param {import("../core/page.js").Page} page @param {string} [hash] */
export async function show(page, hash) {
  await new Content(page, hash ?? "").begin();
}

class Content {
  /** @param {import("../core/page.js").Page} page @param {string} hash */
  constructor(page, hash) {
    this.page = page;
    this.hash = hash;
    this.session = page.query.get("session") ?? "";
    this.offset = 0;
    /** @type {any[]} */
    this.rows = [];
    this.list = element("div", { class: "fixed-height tall" });
    this.original = element("div", {}, empty(t("content.choose")));
    this.switch = element("div", { class: "row" });
    this.tiles = tiles([["masked", t("tile.masked")], ["tokens", t("content.tokens")], ["recent", t("content.recent")], ["threshold", t("content.threshold")]]);
  }

  async begin() {
    const { page } = this;
    const csv = csvButton("masked.csv", () => ({ head: ["hash", "tool", "tokens", "session_id", "retrievals", "created_at", "preview"],
      rows: this.rows.map((row) => [row.hash, row.tool, row.token_count, row.session_id, row.retrievals, row.created_at, row.preview]) }));
    const filter = field(t("filter.session_id"), "session", { type: "number", min: 1, value: this.session, input: (/** @type {any} */ event) => { this.session = event.target.value; this.offset = 0; quiet(); } });
    fill(page.root, element("div", { class: "head" }, element("h1", {}, t("rail.content")), element("div", { class: "actions" }, this.switch)), this.tiles.node,
      element("section", { class: "card seven", "aria-label": t("content.masked") }, element("header", {}, element("h2", {}, t("content.masked")), element("div", { class: "tools" },
        fileLink("JSON", address("/api/mask", { limit: 500, at: page.at }), "masked.json"), csv)), element("form", { class: "line spaced", submit: (/** @type {Event} */ event) => event.preventDefault() }, filter), this.list),
      element("section", { class: "card five", "aria-label": t("content.original") }, element("header", {}, element("h2", {}, t("content.original"))), this.original));
    const quiet = whenQuiet(() => void this.load(), 400);
    page.whenLeft(quiet.stop);
    page.follow((message) => { if (message.type === "resync" || message.type === "sanitizer_event") quiet(); });
    await this.load();
    if (this.hash) this.open(this.hash);
  }

  async load() {
    const { page } = this;
    await page.into(this.list, async () => {
      const how = { signal: this.page.signal };
      const [found, stats] = await Promise.all([get(address("/api/mask", { limit: SIZE, offset: this.offset, session_id: this.session, at: page.at }), how), get(address("/api/sanitizer/stats", { at: page.at }), how)]);
      this.rows = found.items;
      this.#figures(stats);
      if (!found.total) return empty(t("content.none"), t("content.none-more"));
      const turn = (/** @type {number} */ offset) => { this.offset = offset; void this.load(); };
      return element("div", { class: "stack" }, this.#table(), pager({ total: found.total, offset: this.offset, size: SIZE, turn }));
    });
  }

  /** @param {any} stats */
  #figures(stats) {
    this.tiles.set({ masked: number(stats.stats.total_masked), tokens: short(stats.stats.total_tokens_masked), recent: number(stats.stats.recent_24h), threshold: number(stats.threshold_tokens) });
    const toggle = element("button", { type: "button", id: "toggle-sanitizer", click: async () => {
      if (await doing(toggle, () => post("/api/sanitizer/toggle", { enabled: !stats.enabled }))) void this.load();
    } }, t(stats.enabled ? "content.switch-off" : "content.switch-on"));
    fill(this.switch, badge(t(stats.enabled ? "content.on" : "content.off"), stats.enabled ? "ok" : "warn"), onlyNow(this.page, toggle));
  }

  #table() {
    return table({ caption: t("content.masked"), rows: this.rows, open: (row) => this.open(row.hash), key: (row) => row.hash, current: (row) => row.hash === this.hash, columns: [
      { label: t("content.hash"), className: "mono nowrap", show: (row) => row.hash },
      { label: t("content.tool"), className: "nowrap", show: (row) => named(row.tool) },
      { label: t("content.size"), className: "number", show: (row) => number(row.token_count) },
      { label: t("content.hits"), className: "number wide", show: (row) => number(row.retrievals) },
      { label: t("event.session"), className: "number wide", show: (row) => sessionLink(row.session_id, this.page.at) },
      { label: t("content.preview"), className: "wide", show: (row) => element("bdi", { class: "clamp small" }, row.erased ? t("message.erased") : row.preview) },
    ] });
  }

  /** @param {string} hash */
  open(hash) {
    this.hash = hash;
    note({ session: this.session }, this.page.place.path);
    for (const row of this.list.querySelectorAll("tbody tr")) {
      if (/** @type {HTMLElement} */ (row).dataset.key === hash) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
    void this.page.into(this.original, async () => {
      try {
        return this.#original(await get(address(`/api/mask/${hash}`, { peek: true, at: this.page.at }), { signal: this.page.signal }));
      } catch (error) {
        if (error instanceof Refused && error.status === 410) return noted("warn", t("message.erased"));
        throw error;
      }
    });
  }

  /** @param {any} found */
  #original(found) {
    const path = address(`/api/mask/${found.hash}`, { peek: true, at: this.page.at });
    return element("div", { class: "stack" },
      element("dl", { class: "facts small" }, [
        [t("content.hash"), element("code", {}, found.hash)], ["sha256", element("code", {}, found.sha256)], [t("content.tool"), named(found.tags.join(", "))],
        [t("content.size"), t("message.tokens", { count: found.token_count, n: number(found.token_count) })], [t("event.session"), sessionLink(found.session_id, this.page.at)], [t("event.time"), moment(found.created_at)],
      ].flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
      element("div", { class: "row small" }, element("a", { href: to(["audit"], { q: found.hash }) }, t("content.events")), curlButton(path),
        element("button", { type: "button", class: "link", click: () => void copy(found.original_content) }, t("action.copy")),
        element("button", { type: "button", class: "link", click: () => save(new Blob([found.original_content], { type: "text/plain" }), `${found.hash}.txt`) }, t("action.save"))),
      element("pre", { tabindex: 0, "aria-label": t("content.original"), dir: "auto" }, found.original_content ?? t("message.erased")));
  }
}
