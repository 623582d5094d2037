// @ts-check
// What changed between two texts, line by line; what changed between two lists of messages.

import { element } from "../core/dom.js";
import { t } from "../core/texts.js";

const MOST_CELLS = 4_000_000;
const AROUND = 3;

/** @typedef {{kind: "" | "added" | "removed", text: string}} Line */

/** The longest common lines stay; beyond a size that would take long, everything between the ends changed. @param {string} before @param {string} after @returns {Line[]} */
export function lines(before, after) {
  const from = before.split("\n");
  const into = after.split("\n");
  let head = 0;
  while (head < from.length && head < into.length && from[head] === into[head]) head++;
  let tail = 0;
  while (tail < from.length - head && tail < into.length - head && from.at(-1 - tail) === into.at(-1 - tail)) tail++;
  const middle = between(from.slice(head, from.length - tail), into.slice(head, into.length - tail));
  const same = (/** @type {string} */ text) => ({ kind: /** @type {""} */ (""), text });
  return [...from.slice(0, head).map(same), ...middle, ...from.slice(from.length - tail).map(same)];
}

/** @param {string[]} from @param {string[]} into @returns {Line[]} */
function between(from, into) {
  if (from.length * into.length > MOST_CELLS) {
    return [...from.map((text) => changed("removed", text)), ...into.map((text) => changed("added", text))];
  }
  const width = into.length + 1;
  const common = new Uint32Array((from.length + 1) * width);
  for (let i = from.length - 1; i >= 0; i--) {
    for (let j = into.length - 1; j >= 0; j--) {
      common[i * width + j] = from[i] === into[j] ? common[(i + 1) * width + j + 1] + 1
        : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
    }
  }
  /** @type {Line[]} */
  const found = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < into.length) {
    if (i < from.length && j < into.length && from[i] === into[j]) {
      found.push({ kind: "", text: from[i++] });
      j++;
    } else if (j >= into.length || (i < from.length && common[(i + 1) * width + j] >= common[i * width + j + 1])) {
      found.push(changed("removed", from[i++]));
    } else found.push(changed("added", into[j++]));
  }
  return found;
}

/** @param {"added" | "removed"} kind @param {string} text @returns {Line} */
const changed = (kind, text) => ({ kind, text });

/** @param {string} label @param {string} before @param {string} after */
export function diffOf(label, before, after) {
  const all = lines(before, after);
  const near = all.map((_, index) => all.slice(Math.max(0, index - AROUND), index + AROUND + 1).some(({ kind }) => kind));
  const holder = element("div", { class: "diff", role: "group", tabindex: 0, "aria-label": label });
  let skipped = 0;
  const gap = () => {
    if (skipped) holder.append(element("div", { class: "gap" }, "⋯", t("diff.same", { count: skipped })));
    skipped = 0;
  };
  all.forEach(({ kind, text }, index) => {
    if (!near[index]) return void skipped++;
    gap();
    const sign = kind === "added" ? "+" : kind === "removed" ? "−" : " ";
    holder.append(element("div", { class: kind }, element("span", {}, sign), text));
  });
  gap();
  return holder;
}
