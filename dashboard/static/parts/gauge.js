// @ts-check
// How full the context is: a figure, a word, a bar with what is reserved for the answer.

import { element, fill, say } from "../core/dom.js";
import { number, percent } from "../core/formats.js";
import { t } from "../core/texts.js";
import { level, levelWord } from "./badges.js";

/** A thin bar for tables. @param {number} used percent */
export function thinBar(used) {
  const bar = element("span", { class: `bar thin ${level(used)}` });
  const filled = element("i", {});
  filled.style.width = `${Math.min(used, 100)}%`;
  bar.append(filled);
  bar.style.display = "block";
  return bar;
}

/** @param {number | null} tokens @param {number} most */
export function gaugeCell(tokens, most) {
  if (tokens === null || !most) return "–";
  const used = (100 * tokens) / most;
  return element("span", { title: `${number(tokens)} / ${number(most)}` }, element("span", { class: "small nowrap" }, percent(used)), thinBar(used));
}

/** The big one: `set(tokens, most, reserved, more)` writes only what has changed. */
export function gauge() {
  const figure = element("span", { class: "figure" });
  const of = element("span", { class: "muted" });
  const word = element("span", { class: "badge ok" });
  const filled = element("i", {});
  const kept = element("b", {});
  const bar = element("div", { class: "bar ok", role: "meter", "aria-label": t("gauge.title"), "aria-valuemin": 0, "aria-valuemax": 100 }, filled, kept);
  const rest = element("p", { class: "muted small" });
  const node = element("div", { class: "gauge stack" }, element("div", { class: "row" }, figure, of, word), bar, rest);
  /** @param {number} tokens @param {number} most @param {number} reserved @param {string[]} [more] */
  const set = (tokens, most, reserved, more = []) => {
    const used = most ? (100 * tokens) / most : 0;
    say(figure, number(tokens));
    say(of, t("gauge.of", { n: number(most) }));
    say(word, levelWord(used));
    word.className = `badge ${level(used)}`;
    bar.className = `bar ${level(used)}`;
    bar.setAttribute("aria-valuenow", String(Math.round(Math.min(used, 100))));
    bar.setAttribute("aria-valuetext", levelWord(used));
    filled.style.width = `${Math.min(used, 100)}%`;
    kept.style.width = most ? `${Math.min((100 * reserved) / most, 100)}%` : "0";
    const free = Math.max(most - tokens - reserved, 0);
    const words = [reserved ? t("gauge.reserved", { n: number(reserved) }) : "", t("gauge.free", { n: number(free) }), ...more];
    fill(rest, words.filter(Boolean).join(" · "));
  };
  return { node, set };
}

/** Figures side by side. `set({key: value})`. @param {[string, string][]} tiles key and label @param {string} [shape] */
export function tiles(tiles, shape = "") {
  /** @type {Record<string, {value: HTMLElement, note: HTMLElement}>} */
  const cells = {};
  const node = element("div", { class: `card tiles ${shape}` }, tiles.map(([key, label]) => {
    cells[key] = { value: element("div", { class: "value" }, "–"), note: element("div", { class: "note-line muted small" }) };
    return element("div", {}, element("div", { class: "label" }, label), cells[key].value, cells[key].note);
  }));
  /** @param {Record<string, string | Node>} values @param {Record<string, string>} [notes] */
  const set = (values, notes = {}) => {
    for (const [key, value] of Object.entries(values)) {
      if (value instanceof Node) fill(cells[key].value, value);
      else say(cells[key].value, value);
    }
    for (const [key, value] of Object.entries(notes)) say(cells[key].note, value);
  };
  return { node, set };
}
