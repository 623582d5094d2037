// @ts-check
// The scrubber at the bottom of a session: a slider over its events, steps, jumps to compactions, replay, the present.

import { beforePaint, element, fill, say } from "../core/dom.js";
import { moment, number } from "../core/formats.js";
import { onTheme } from "../core/theme.js";
import { t } from "../core/texts.js";
import { firstAtLeast } from "../chart/scale.js";
import { paintStrip } from "./strip.js";

const SPEEDS = [1, 4, 16, 64];
const SECOND = 1000;

/** @param {import("./timeline.js").Timeline} timeline @param {(index: number | null) => void} seek null: the present */
export function scrubber(timeline, seek) {
  /** @type {number | null} */
  let at = null;
  let playing = 0;
  let speed = SPEEDS[1];
  const strip = element("canvas", { "aria-hidden": "true" });
  const range = element("input", { type: "range", min: 0, step: 1, "aria-label": t("scrub.slider"), id: "scrub" });
  const where = element("span", { class: "where", id: "scrub-where" });
  const button = (/** @type {string} */ name, /** @type {any} */ face, /** @type {() => void} */ work) =>
    element("button", { type: "button", id: `scrub-${name}`, "aria-label": t(`scrub.${name}`), title: t(`scrub.${name}`), click: work }, face);
  const mark = () => [element("span", { class: "wide" }, t("scrub.compaction")), element("span", { class: "narrow compaction" }, "◆")];
  const index = () => at ?? timeline.last;
  /** @param {number} next */
  const move = (next) => seek(next >= timeline.last ? null : Math.max(0, next));
  /** @param {number} direction */
  const jump = (direction) => {
    const marks = timeline.marks ?? [];
    const place = firstAtLeast(marks, index() + (direction > 0 ? 1 : 0)) - (direction > 0 ? 0 : 1);
    if (marks[place] !== undefined) seek(marks[place]);
  };
  const play = button("play", "▶▶", () => (playing ? stop() : start()));
  const pace = element("select", { "aria-label": t("scrub.speed"), class: "wide", change: () => { speed = Number(pace.value); } },
    SPEEDS.map((value) => element("option", { value, selected: value === speed }, `${value}×`)));
  const now = element("button", { type: "button", class: "primary nowrap", id: "scrub-live", click: () => { stop(); seek(null); } });
  const node = element("section", { class: "scrubber", "aria-label": t("scrub.title") },
    element("div", { class: "controls" },
      button("back", "◀", () => move(index() - 1)), button("forward", "▶", () => move(index() + 1)),
      button("back-compaction", ["◀ ", ...mark()], () => jump(-1)),
      button("forward-compaction", [...mark(), " ▶"], () => jump(1)), play, pace, where, now),
    element("div", { class: "track" }, range, strip));
  range.addEventListener("input", () => move(Number(range.value)));

  function start() {
    if (at === null) seek(0);
    let due = performance.now();
    const step = (/** @type {number} */ time) => {
      const steps = Math.floor(((time - due) * speed) / SECOND);
      if (steps > 0) {
        due = time;
        move(index() + steps);
        if (at === null) return stop();
      }
      playing = requestAnimationFrame(step);
    };
    playing = requestAnimationFrame(step);
    play.textContent = "❚❚";
    play.setAttribute("aria-label", t("scrub.pause"));
  }

  function stop() {
    cancelAnimationFrame(playing);
    playing = 0;
    play.textContent = "▶▶";
    play.setAttribute("aria-label", t("scrub.play"));
  }

  const paint = beforePaint(() => paintStrip(strip, timeline, at));
  const observer = new ResizeObserver(paint);
  observer.observe(strip);
  const off = onTheme(paint);

  /** Show where the reader is. @param {number | null} index @param {number} position the exact event */
  function show(index, position) {
    at = index;
    const shown = index ?? timeline.last;
    range.max = String(Math.max(timeline.last, 0));
    range.value = String(shown);
    const past = index !== null;
    node.classList.toggle("in-past", past);
    const text = t("scrub.where", { position: number(position), total: number(timeline.total), time: moment(timeline.times[shown]) });
    say(where, text);
    range.setAttribute("aria-valuetext", `${text} · ${t("message.tokens", { count: timeline.columns.used[shown], n: number(timeline.columns.used[shown]) })}`);
    now.disabled = !past;
    fill(now, past ? t("scrub.to-live") : t("scrub.is-live"));
    paint();
  }

  return { node, show, jump, move: (/** @type {number} */ by) => move(index() + by), toggle: () => (playing ? stop() : start()),
    end: () => { stop(); observer.disconnect(); off(); }, range };
}
