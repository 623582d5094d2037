// @ts-check
// A chart: lines over events or time, two axes, a limit, ticks at the bottom edge, a cursor, hovering, a click that seeks.
// What stays is on one canvas; the cursor, which moves with every step of the slider, on another above it.

import { beforePaint, element, fill } from "../core/dom.js";
import { axisTime, moment } from "../core/formats.js";
import { colour, onTheme } from "../core/theme.js";
import { BOTTOM, LEFT, RIGHT, TOP, nearest, places, ticks } from "./scale.js";
import { axis, line, rule, sharp, timeAxis, yOf } from "./paint.js";

/**
 * @typedef {{key: string, label: string, tone: string, right?: boolean, step?: boolean, fill?: boolean,
 *   format: (value: any) => string, axisFormat?: (value: number) => string}} Series
 * @typedef {{times: number[], values: Record<string, (number | null)[]>, limit?: number, marks?: number[], byTime?: boolean}} Data
 *   `times` in epoch milliseconds, ascending; `marks` are indexes
 */

export class Chart {
  /** @param {{label: string, height: number, series: Series[], seek?: (index: number) => void}} what */
  constructor({ label, height, series, seek }) {
    this.series = series;
    this.seek = seek;
    /** @type {Data} */
    this.data = { times: [], values: {} };
    /** @type {number[]} */
    this.places = [];
    /** @type {number | null} */
    this.at = null;
    /** @type {number | null} */
    this.hovered = null;
    this.base = element("canvas", { role: "img", "aria-label": label });
    this.over = element("canvas", { "aria-hidden": "true" });
    this.over.className = "over";
    this.tip = element("div", { class: "tip", hidden: true });
    this.node = element("div", { class: "chart" }, this.base, this.over, this.tip);
    this.node.style.height = `${height}px`;
    this.size = { width: 0, height };
    this.paint = beforePaint(() => this.#paint());
    this.paintOver = beforePaint(() => this.#paintOver());
    this.#listen();
  }

  #listen() {
    const observer = new ResizeObserver(() => {
      this.size = { width: this.node.clientWidth, height: this.node.clientHeight };
      this.paint();
    });
    observer.observe(this.node);
    const stop = onTheme(() => this.paint());
    this.end = () => {
      observer.disconnect();
      stop();
    };
    this.over.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      this.hovered = this.#indexAt(event.offsetX);
      if (event.buttons & 1 && this.hovered !== null) this.seek?.(this.hovered);
      this.paintOver();
    });
    this.over.addEventListener("pointerleave", () => {
      this.hovered = null;
      this.paintOver();
    });
    this.over.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
      const index = this.#indexAt(event.offsetX);
      if (index !== null) this.seek?.(index);
    });
  }

  /** @param {Data} data */
  set(data) {
    this.data = data;
    this.places = places(data.times, Boolean(data.byTime));
    this.paint();
  }

  /** Where the reader is; null for the present. @param {number | null} index */
  cursor(index) {
    this.at = index;
    this.paintOver();
  }

  get inner() { return Math.max(this.size.width - LEFT - RIGHT, 1); }

  /** @param {number} index */
  x(index) { return LEFT + this.places[index] * this.inner; }

  /** @param {number} pixel */
  #indexAt(pixel) {
    return this.places.length ? nearest(this.places, (pixel - LEFT) / this.inner) : null;
  }

  /** A series without any value takes no axis and no place. */
  #drawn() {
    return this.series.filter(({ key, right }) => !right || (this.data.values[key] ?? []).some((value) => value !== null));
  }

  /** The top of an axis. @param {boolean} right */
  #most(right) {
    let most = right ? 0 : this.data.limit ?? 0;
    for (const { key, right: side } of this.series) {
      if (Boolean(side) !== right) continue;
      for (const value of this.data.values[key] ?? []) if (value !== null && value > most) most = value;
    }
    return ticks(most, 4);
  }

  #paint() {
    const { size, data } = this;
    if (!size.width) return;
    const context = sharp(this.base, size);
    const [left, right] = [this.#most(false), this.#most(true)];
    this.tops = { left: left[left.length - 1], right: right[right.length - 1] };
    const first = (/** @type {boolean} */ side) => this.#drawn().find((each) => Boolean(each.right) === side);
    for (const side of [false, true]) {
      const series = first(side);
      if (series) axis(context, size, side ? right : left, series.axisFormat ?? series.format, side);
    }
    if (data.times.length) this.#strokes(context);
    this.#paintOver();
  }

  /** @param {CanvasRenderingContext2D} context */
  #strokes(context) {
    const { size, data } = this;
    timeAxis(context, size, this.places, data.times, axisTime(data.times[data.times.length - 1] - data.times[0]), Boolean(data.byTime));
    const xs = this.places.map((place) => LEFT + place * this.inner);
    for (const index of data.marks ?? []) {
      rule(context, xs[index], size.height - BOTTOM - 7, xs[index], size.height - BOTTOM, colour("--series-2"), [], 1.5);
    }
    for (const series of this.series) {
      const most = series.right ? this.tops?.right : this.tops?.left;
      line(context, size, xs, data.values[series.key] ?? [], most ?? 1, series);
    }
    if (data.limit) {
      const y = yOf(data.limit, this.tops?.left ?? 1, size);
      rule(context, LEFT, y, size.width - RIGHT, y, colour("--bad"), [4, 4]);
    }
  }

  #paintOver() {
    const { size, at } = this;
    if (!size.width) return;
    const context = sharp(this.over, size);
    if (at !== null && this.places.length) {
      const x = this.x(at);
      context.fillStyle = colour("--surface");
      context.globalAlpha = 0.62;
      context.fillRect(x, TOP - 4, size.width - RIGHT - x + 2, size.height - TOP - BOTTOM + 4);
      context.globalAlpha = 1;
      rule(context, x, TOP - 4, x, size.height - BOTTOM, colour("--past"), [], 2);
      this.#dots(context, at);
    }
    if (this.hovered !== null && this.places.length) {
      const x = this.x(this.hovered);
      rule(context, x, TOP, x, size.height - BOTTOM, colour("--edge"));
      this.#dots(context, this.hovered);
    }
    this.#tip();
  }

  /** @param {CanvasRenderingContext2D} context @param {number} index */
  #dots(context, index) {
    for (const series of this.series) {
      const value = this.data.values[series.key]?.[index];
      if (value === null || value === undefined) continue;
      context.beginPath();
      context.arc(this.x(index), yOf(value, (series.right ? this.tops?.right : this.tops?.left) ?? 1, this.size), 3, 0, 7);
      context.fillStyle = colour(series.tone);
      context.fill();
    }
  }

  #tip() {
    const index = this.hovered;
    this.tip.hidden = index === null || !this.places.length;
    if (index === null || !this.places.length) return;
    const parts = this.#drawn().map(({ key, label, format }) => `${label} ${format(this.data.values[key]?.[index])}`);
    fill(this.tip, [moment(this.data.times[index]), ...parts].join(" · "));
    const half = this.tip.offsetWidth / 2;
    const x = Math.max(half, Math.min(this.size.width - half, this.x(index)));
    this.tip.style.left = `${x - half}px`;
  }
}

/** Names beside their strokes, with the values of a moment. @param {Series[]} series */
export function legend(series) {
  /** @type {Record<string, HTMLElement>} */
  const values = {};
  const node = element("div", { class: "legend" }, series.map(({ key, label, tone }) => {
    values[key] = element("strong", {});
    return element("span", { class: tone.replace("--", "") }, element("i", {}), element("span", {}, label), values[key]);
  }));
  /** @param {Record<string, (number | null)[]>} columns @param {number} index */
  const set = (columns, index) => {
    for (const { key, format, right } of series) {
      const value = columns[key]?.[index] ?? null;
      fill(values[key], format(value));
      /** @type {HTMLElement} */ (values[key].parentElement).hidden = Boolean(right) && value === null;
    }
  };
  return { node, set };
}
