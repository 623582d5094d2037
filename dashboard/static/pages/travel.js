// @ts-check
// Time travel through a session. One position drives every panel; the address holds it.

import { address, get, optional } from "../core/api.js";
import { beforePaint, element, fill, whenQuiet } from "../core/dom.js";
import { money, number, short } from "../core/formats.js";
import { pageKeys } from "../core/keys.js";
import { keep, kept } from "../core/kept.js";
import { note } from "../core/router.js";
import { t } from "../core/texts.js";
import { compactButtons } from "../parts/compacting.js";
import { savingChart, tokenChart } from "../parts/context_charts.js";
import { erasedNote, unlessErased } from "../parts/erased.js";
import { forkButton } from "../parts/forking.js";
import { gauge, tiles } from "../parts/gauge.js";
import { fileLink } from "../parts/links.js";
import { momentNote } from "../parts/past.js";
import { sessionHead, sessionTabs } from "../parts/session_head.js";
import * as states from "../parts/states.js";
import { scrubber } from "../time/scrubber.js";
import { Timeline } from "../time/timeline.js";
import { Comparing } from "../travel/compare.js";
import { ContextPanel } from "../travel/context.js";
import { Moment } from "../travel/moment.js";
import { EventWindow } from "../travel/window.js";

const REST_MS = 90;
const QUIET_MS = 800;
export const past = "own";

/** @param {import("../core/page.js").Page} page @param {string} id */
export async function show(page, id) {
  const { signal } = page;
  const read = (/** @type {number | null} */ at) => address(`/api/sessions/${id}`, { metrics_limit: 0, at });
  const [now, then, timeline] = await Promise.all([get(read(null), { signal }),
    page.at === null ? null : optional(read(page.at), { signal }), Timeline.load(id, { signal })]); // it may not have been there
  if (!page.left) new Travel(page, id, then ?? now, timeline, now.session.erased_at).begin();
}

class Travel {
  /** @param {import("../core/page.js").Page} page @param {string} id @param {any} detail @param {Timeline} timeline
   * @param {string | null} erased when its contents were erased, whatever moment is looked at */
  constructor(page, id, detail, timeline, erased) {
    this.page = page;
    this.id = id;
    this.session = detail.session;
    this.erased = { erased_at: erased };
    this.timeline = timeline;
    /** The event that is looked at; null for the present. @type {number | null} */
    this.at = null;
    this.moved = true;
    const seek = (/** @type {number | null} */ index) => this.seek(index === null ? null : this.timeline.position(index));
    this.gauge = gauge();
    this.tiles = tiles([["requests", t("tile.requests")], ["cost", t("tile.cost")], ["compactions", t("tile.compactions")],
      ["saved", t("tile.saved")], ["masked", t("tile.masked")], ["total", t("tile.total")]], "three");
    this.tokens = tokenChart({ seek, tools: [this.#axisButtons()] });
    this.savings = savingChart({ seek });
    this.events = new EventWindow(page, id, timeline, (position) => this.seek(position));
    this.moment = new Moment(page, id);
    this.context = new ContextPanel(page, id);
    this.comparing = new Comparing(page, id, () => this.position);
    this.scrub = scrubber(timeline, seek);
    this.past = element("div", {});
    /** Why the moment that was asked for is not shown. */
    this.problem = "";
    this.noted = "";
    this.compact = compactButtons(id, () => this.quiet());
    this.fork = forkButton(id, () => ({ at: this.at, position: this.position }));
    this.head = element("div", {});
    this.tabs = element("div", {});
    this.headed = "";
    this.paint = beforePaint(() => this.#paint());
    this.rest = whenQuiet(() => void this.#rested(), REST_MS);
    this.quiet = whenQuiet(() => void this.#rested(), QUIET_MS);
  }

  begin() {
    const { page } = this;
    document.body.classList.add("has-scrubber");
    fill(page.root,
      this.head, this.tabs, erasedNote(this.erased), this.past, this.scrub.node,
      element("section", { class: "card half stretch", "aria-label": t("gauge.title") }, element("header", {}, element("h2", {}, t("gauge.title"))), this.gauge.node),
      element("div", { class: "half" }, this.tiles.node),
      this.tokens.node, this.savings.node, this.events.node, this.moment.node, this.context.node, this.comparing.node);
    for (const button of [this.fork, ...this.compact]) unlessErased(this.erased, button);
    page.turned = () => this.#go();
    page.follow((message) => this.#hear(message));
    for (const end of [() => this.tokens.chart.end?.(), () => this.savings.chart.end?.(), this.scrub.end, this.rest.stop, this.quiet.stop]) page.whenLeft(end);
    page.whenLeft(pageKeys({ ",": () => this.step(-1), ".": () => this.step(1), "[": () => this.scrub.jump(-1), "]": () => this.scrub.jump(1),
      p: () => this.scrub.toggle(), 0: () => this.seek(null) }));
    for (const [name, by] of /** @type {[string, number][]} */ ([["back", -1], ["forward", 1]])) {
      this.scrub.node.querySelector(`#scrub-${name}`)?.addEventListener("click", (/** @type {Event} */ event) => {
        if (!this.timeline.sampled) return;
        event.stopImmediatePropagation();
        this.step(by);
      }, true);
    }
    this.#go();
    this.#headOf();
    void this.events.load(this.position);
  }

  /** To where the address says; where there is no such moment of the session, that is said, and the address stays. */
  #go() {
    const { asked, position, problem } = this.page.moment;
    const first = this.timeline.position(0);
    const early = position !== null && position < first;
    this.seek(problem || early ? null : position);
    this.problem = early ? t("moment.early", { asked, id: this.id, first: number(first) }) : problem;
  }

  /** The session's name and state as of the moment, with files and tabs that are of it. */
  #headOf() {
    const { at, id, session } = this;
    const state = JSON.stringify([at, session.name, session.is_active, session.model]);
    if (state === this.headed) return;
    this.headed = state;
    const file = (/** @type {string} */ label, /** @type {string} */ form, /** @type {any} */ query = {}) => fileLink(label, address(`/api/export/${form}`, { session_id: id, ...query, at }), `session-${id}.${label.toLowerCase()}`);
    fill(this.head, sessionHead({ ...session, ...this.erased, then: at !== null }, file("CSV", "csv"), file("JSON", "json"), file("JSONL", "json", { format: "jsonl" }), this.fork, this.compact));
    fill(this.tabs, sessionTabs(id, "travel", at));
    this.events.at(at);
  }

  get newest() { return this.timeline.position(this.timeline.last); }
  get position() { return this.at ?? this.newest; }
  get index() { return this.at === null ? this.timeline.last : this.timeline.indexOf(this.at); }

  /** @param {number | null} position */
  seek(position) {
    this.problem = "";
    this.at = position === null || position >= this.newest ? null : Math.max(position, this.timeline.position(0));
    this.paint();
    this.rest();
  }

  /** To the event before or after, also between the points of a long timeline. @param {number} by */
  step(by) {
    const next = this.timeline.sampled ? this.events.neighbour(by) : null;
    if (next !== null) this.seek(next);
    else this.scrub.move(by);
  }

  #paint() {
    const { timeline, index, at } = this;
    const { used, max, reserved } = timeline.columns;
    const sums = /** @type {any} */ (timeline.sums);
    this.gauge.set(used[index], max[index], reserved[index], [t(this.session.auto_compaction_enabled ? "auto.on" : "auto.off")]);
    this.tiles.node.classList.toggle("stale", timeline.sampled && at !== null && this.exact !== this.position);
    if (!timeline.sampled) {
      this.tiles.set({ requests: number(sums.requests[index]), compactions: number(sums.compactions[index]) });
    }
    this.tiles.set({ cost: money(sums.cost[index]) });
    for (const panel of [this.tokens, this.savings]) {
      if (this.moved) panel.set(timeline, kept.axis === "time");
      panel.chart.cursor(at === null ? null : index);
      panel.names.set(/** @type {any} */ (panel.columns(timeline)), index);
    }
    this.moved = false;
    this.scrub.show(at === null ? null : index, this.position);
    this.inside = this.events.mark(this.position);
    this.#notePast();
    this.page.root.dataset.at = String(this.position);
  }

  #notePast() {
    const state = this.problem || (this.at === null ? "" : "past");
    if (this.noted === state) return;
    this.noted = state;
    if (this.problem) return void fill(this.past, momentNote({ ...this.page.moment, problem: this.problem }, true));
    const back = element("button", { type: "button", class: "small", click: () => this.seek(null) }, t("scrub.to-live"));
    fill(this.past, this.at === null ? null : states.note("past", element("div", { class: "row" },
      element("span", { class: "mark past" }, t("past.title")), element("span", {}, t("past.more")), back)));
  }

  /** What is not in the columns, once the slider rests. */
  async #rested() {
    const { at, position } = this;
    if (!this.problem) note({ at: at ?? "" }, this.page.place.path);
    this.#headOf();
    if (!this.inside) void this.events.load(position);
    void this.moment.event(position);
    if (this.context.at !== at || at === null) this.context.move(at);
    const found = await this.moment.figures(at);
    if (!found || this.page.left || position !== this.position) return;
    this.exact = position;
    const { stats, session, context } = found.detail;
    Object.assign(this.session, session);
    this.#headOf();
    this.gauge.set(context.current_tokens, context.max_context, session.reserved_tokens, [t(session.auto_compaction_enabled ? "auto.on" : "auto.off")]);
    this.tiles.set({ requests: number(stats.total_requests), compactions: number(session.compaction_count), saved: short(found.saved),
      masked: number(found.masked), total: short(stats.cumulative_total_tokens) });
    this.tiles.node.classList.remove("stale");
    this.page.root.dataset.exact = String(position);
    if (this.timeline.pending && at === null) await this.#reload();
  }

  /** @param {any} message */
  #hear(message) {
    if (message.type === "resync") void this.#reload();
    if (message.type !== "event" || message.event.session_id !== Number(this.id)) return;
    const known = this.timeline.types.length;
    if (!this.timeline.push(message.event, message.state)) return;
    if (this.timeline.types.length !== known) this.events.offer(this.timeline.types);
    this.moved = true;
    this.paint();
    if (this.at === null) this.quiet();
  }

  async #reload() {
    try {
      Object.assign(this.timeline, await Timeline.load(this.id, { signal: this.page.signal }));
      this.timeline.pending = false;
      this.moved = true;
      this.paint();
      this.rest();
    } catch {
      // the connection tells
    }
  }

  #axisButtons() {
    const choose = (/** @type {string} */ name) => element("button", { type: "button", "data-axis": name, "aria-pressed": String(kept.axis === name), click: () => {
      keep("axis", name);
      for (const button of holder.children) button.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (button).dataset.axis === name));
      this.moved = true;
      this.paint();
    } }, t(`axis.${name}`));
    const holder = element("div", { class: "segments", role: "group", "aria-label": t("axis.title") }, choose("events"), choose("time"));
    return holder;
  }
}
