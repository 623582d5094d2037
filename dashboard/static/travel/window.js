// @ts-check
// The events around a moment. Inside what is loaded a step only moves the mark; outside, the list is read anew.

import { address, get } from "../core/api.js";
import { element, fill } from "../core/dom.js";
import { t } from "../core/texts.js";
import { family } from "../parts/badges.js";
import { eventTable } from "../parts/events.js";
import { csvButton, fileLink } from "../parts/links.js";
import { empty } from "../parts/states.js";

const NEWER = 14;
const OLDER = 30;

export class EventWindow {
  /** @param {import("../core/page.js").Page} page @param {string} session @param {import("../time/timeline.js").Timeline} timeline @param {(position: number) => void} seek */
  constructor(page, session, timeline, seek) {
    this.page = page;
    this.session = session;
    this.seek = seek;
    /** @type {Set<string>} */
    this.types = new Set();
    /** @type {any[]} */
    this.events = [];
    this.ends = { newest: false, oldest: false };
    this.position = 0;
    /** The moment that files are of; null for the present. @type {number | null} */
    this.moment = null;
    this.holder = element("div", { class: "fixed-height" });
    this.chips = element("div", { class: "chips", role: "group", "aria-label": t("filter.types") });
    this.links = element("div", { class: "tools" });
    this.node = element("section", { class: "card seven", "aria-label": t("list.events") },
      element("header", {}, element("h2", {}, t("travel.events")), this.links), element("div", { class: "stack" }, this.chips, this.holder));
    this.offer(timeline.types);
  }

  /** @param {string[]} types */
  offer(types) {
    fill(this.chips, [...types].sort().map((type) => element("button", {
      type: "button", class: family(type), "aria-pressed": String(this.types.has(type)), click: (/** @type {Event} */ event) => this.#toggle(type, event) }, type)));
    this.#link();
  }

  /** What is saved is what was there then. @param {number | null} moment */
  at(moment) {
    this.moment = moment;
    this.#link();
  }

  #link() {
    const then = this.moment;
    const query = { type: [...this.types], limit: 1000, at: then };
    const path = `/api/sessions/${this.session}/events`;
    const csv = csvButton(`session-${this.session}-events.csv`, () => ({ head: ["position", "timestamp", "type", "summary"],
      rows: this.events.filter((event) => then === null || event.position <= then).map((event) => [event.position, event.timestamp, event.type, event.summary]) }));
    fill(this.links, fileLink("JSON", address(path, query), "events.json"), fileLink("JSONL", address(path, { ...query, format: "jsonl" }), "events.jsonl"), csv);
  }

  /** @param {string} type @param {Event} event */
  #toggle(type, event) {
    if (!this.types.delete(type)) this.types.add(type);
    /** @type {HTMLElement} */ (event.currentTarget).setAttribute("aria-pressed", String(this.types.has(type)));
    this.#link();
    void this.load();
  }

  /** The event before or after, where it is known. @param {number} by */
  neighbour(by) {
    if (this.types.size) return null;
    const index = this.events.findIndex((event) => event.position === this.position);
    return index < 0 ? null : this.events[index - by]?.position ?? null;
  }

  /** Only the mark moves; says whether the moment is inside what is loaded. @param {number} position */
  mark(position) {
    this.position = position;
    const index = this.events.findIndex((event) => event.position <= position);
    const key = String(this.events[index]?.position);
    for (const row of this.holder.querySelectorAll("tbody tr")) {
      const here = /** @type {HTMLElement} */ (row).dataset.key === key;
      if (here === row.hasAttribute("aria-current")) continue;
      row.toggleAttribute("aria-current", here);
      if (here) row.setAttribute("aria-current", "true");
      /** @type {HTMLElement} */ (row).tabIndex = here ? 0 : -1;
      if (here) this.#reveal(/** @type {HTMLElement} */ (row));
    }
    const enough = (index > 2 || this.ends.newest) && (index < this.events.length - 3 || this.ends.oldest);
    return index >= 0 && enough && (!this.ends.newest || index > 0 || position === this.events[0].position);
  }

  /** Inside its own box; the page stays where it is. @param {HTMLElement} row */
  #reveal(row) {
    const top = row.offsetTop - this.holder.clientHeight / 2;
    this.holder.scrollTop = Math.max(0, top);
  }

  /** @param {number} [position] */
  async load(position = this.position) {
    this.position = position;
    const path = `/api/sessions/${this.session}/events`;
    const type = [...this.types];
    const { signal } = this.page;
    await this.page.into(this.holder, async () => {
      const [newer, older] = await Promise.all([
        get(address(path, { type, from: position + 1, order: "asc", limit: NEWER }), { signal }),
        get(address(path, { type, to: position, order: "desc", limit: OLDER }), { signal })]);
      if (position !== this.position) return undefined;
      this.events = [...newer.events.reverse(), ...older.events];
      this.ends = { newest: !newer.next_cursor, oldest: !older.next_cursor };
      const focused = this.holder.contains(document.activeElement);
      requestAnimationFrame(() => this.#placed(focused));
      const open = (/** @type {any} */ event) => this.seek(event.position);
      return this.events.length ? eventTable(this.events, { session: false, open }) : empty(t("filter.none"));
    });
  }

  /** @param {boolean} focused */
  #placed(focused) {
    this.mark(this.position);
    if (focused) /** @type {HTMLElement | null} */ (this.holder.querySelector("[aria-current]"))?.focus({ preventScroll: true });
  }
}
