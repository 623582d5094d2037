// @ts-check
// The log of all sessions: filtered, searched, each event with what it changed.

import { address, get } from "../core/api.js";
import { element, fill, whenQuiet } from "../core/dom.js";
import { number } from "../core/formats.js";
import { note } from "../core/router.js";
import { t } from "../core/texts.js";
import { family } from "../parts/badges.js";
import { field } from "../parts/dialog.js";
import { eventDetail } from "../parts/event_detail.js";
import { eventTable } from "../parts/events.js";
import { csvButton, curlButton, fileLink } from "../parts/links.js";
import { empty } from "../parts/states.js";

const SIZE = 100;
const TYPED_MS = 250;
const QUIET_MS = 800;
export const past = "read";

/** @param {import("../core/page.js").Page} page */
export async function show(page) {
  const diagnostic = await get(address("/api/sessions/diagnostic", { at: page.at }), { signal: page.signal });
  if (!page.left) new Audit(page, Object.keys(diagnostic.events.by_type).sort()).begin();
}

class Audit {
  /** @param {import("../core/page.js").Page} page @param {string[]} types */
  constructor(page, types) {
    this.page = page;
    this.types = types;
    const { query } = page;
    this.filter = { type: query.getAll("type"), session_id: query.get("session") ?? "", q: query.get("q") ?? "",
      from: query.get("from") ?? "", to: query.get("to") ?? "", correlation: query.get("correlation") ?? "" };
    /** @type {any[]} */
    this.events = [];
    this.cursor = null;
    this.selected = Number(query.get("event") ?? 0);
    this.list = element("div", { class: "fixed-height tall" });
    this.detail = element("div", {}, empty(t("audit.choose")));
    this.count = element("h2", {}, t("audit.title"));
    this.links = element("div", { class: "tools" });
    this.more = element("button", { type: "button", class: "small", hidden: true, click: () => void this.next() }, t("action.more"));
    this.fresh = element("button", { type: "button", class: "small", hidden: true, click: () => void this.load() }, "");
    this.arrived = 0;
    this.typed = whenQuiet(() => void this.load(), TYPED_MS);
  }

  begin() {
    const { page } = this;
    fill(page.root, element("div", { class: "head" }, element("h1", {}, t("rail.audit")), this.fresh), this.#filters(),
      element("section", { class: "card seven", "aria-label": t("list.events") }, element("header", {}, this.count, this.links),
        this.list, element("div", { class: "row" }, this.more)),
      element("section", { class: "card five", "aria-label": t("travel.moment") }, element("header", {}, element("h2", {}, t("travel.moment"))), this.detail));
    page.whenLeft(this.typed.stop);
    const quiet = whenQuiet(() => this.#announce(), QUIET_MS);
    page.whenLeft(quiet.stop);
    page.follow((message) => {
      if (message.type === "resync") void this.load();
      if (message.type !== "event" || !this.#matches(message.event)) return;
      this.arrived++;
      quiet();
    });
    void this.load();
    if (this.selected) this.open(this.selected);
  }

  #filters() {
    const input = (/** @type {string} */ name, /** @type {any} */ props) => field(t(`filter.${name}`), name, {
      value: /** @type {any} */ (this.filter)[name], input: (/** @type {any} */ event) => { /** @type {any} */ (this.filter)[name] = event.target.value; this.typed(); }, ...props });
    const chips = element("div", { class: "chips", role: "group", "aria-label": t("filter.types") }, this.types.map((type) =>
      element("button", { type: "button", class: family(type), "aria-pressed": String(this.filter.type.includes(type)), click: (/** @type {any} */ event) => {
        const on = !this.filter.type.includes(type);
        this.filter.type = on ? [...this.filter.type, type] : this.filter.type.filter((each) => each !== type);
        event.currentTarget.setAttribute("aria-pressed", String(on));
        void this.load();
      } }, type)));
    return element("section", { class: "card stack", "aria-label": t("filter.title") },
      element("form", { class: "line", submit: (/** @type {Event} */ event) => event.preventDefault() },
        input("q", { type: "search", placeholder: t("filter.q-hint") }), input("session_id", { type: "number", min: 1 }),
        input("from", { placeholder: t("filter.moment-hint") }), input("to", { placeholder: t("filter.moment-hint") }),
        input("correlation", { class: "mono" })), chips);
  }

  /** @param {any} event */
  #matches(event) {
    const { type, session_id: session, to, correlation } = this.filter;
    return (!type.length || type.includes(event.type)) && (!session || String(event.session_id) === session) && !to
      && (!correlation || event.correlation_id === correlation);
  }

  #announce() {
    this.fresh.hidden = !this.arrived;
    fill(this.fresh, t("audit.fresh", { count: this.arrived, n: number(this.arrived) }));
  }

  /** @param {Record<string, any>} more */
  #address(more) {
    const { correlation, ...query } = this.filter;
    return address("/api/events", { ...query, correlation_id: correlation, limit: SIZE, at: this.page.at, ...more });
  }

  #link() {
    const path = this.#address({ limit: 1000 });
    const csv = csvButton("events.csv", async () => {
      const { events } = await get(path, { signal: this.page.signal }); // as many as the JSON has
      return { head: ["position", "timestamp", "session_id", "type", "actor", "correlation_id", "summary"],
        rows: events.map((/** @type {any} */ each) => [each.position, each.timestamp, each.session_id, each.type, each.actor, each.correlation_id, each.summary]) };
    });
    fill(this.links, fileLink("JSON", path, "events.json"), fileLink("JSONL", this.#address({ limit: 1000, format: "jsonl" }), "events.jsonl"), csv, curlButton(path));
  }

  async load() {
    this.events = [];
    this.cursor = null;
    this.arrived = 0;
    this.#announce();
    this.#note();
    this.#link();
    await this.next();
  }

  #note() {
    const { session_id: session, ...rest } = this.filter;
    note({ ...rest, session, event: this.selected || "" }, this.page.place.path);
  }

  async next() {
    await this.page.into(this.list, async () => {
      const asked = JSON.stringify(this.filter);
      const found = await get(this.#address({ cursor: this.cursor }), { signal: this.page.signal });
      if (asked !== JSON.stringify(this.filter)) return undefined;
      this.events.push(...found.events);
      this.cursor = found.next_cursor;
      this.more.hidden = !this.cursor;
      fill(this.count, t("audit.count", { count: found.total, n: number(found.total) }));
      if (!this.events.length) return empty(t("filter.none"));
      const open = (/** @type {any} */ event) => this.open(event.position);
      return eventTable(this.events, { open, current: (event) => event.position === this.selected });
    });
  }

  /** @param {number} position */
  open(position) {
    this.selected = position;
    this.#note();
    for (const row of this.list.querySelectorAll("tbody tr")) {
      if (/** @type {HTMLElement} */ (row).dataset.key === String(position)) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
    void this.page.into(this.detail, () => eventDetail(position, this.page.signal));
  }
}
