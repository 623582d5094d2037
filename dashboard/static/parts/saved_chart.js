// @ts-check
// Each compaction of a session: what it saved, what all saved together, how much of the context that was. Undoing one
// takes back what it saved and is no share of anything.

import { Chart, legend } from "../chart/chart.js";
import { element } from "../core/dom.js";
import { number, percent, short } from "../core/formats.js";
import { t } from "../core/texts.js";

export function savedChart() {
  const series = [
    { key: "each", label: t("chart.each"), tone: "--series-1", step: true, format: number, axisFormat: short },
    { key: "saved", label: t("chart.saved"), tone: "--series-2", fill: true, format: number, axisFormat: short },
    { key: "ratio", label: t("chart.ratio"), tone: "--series-3", right: true, format: percent },
  ];
  const chart = new Chart({ label: t("chart.compactions"), height: 180, series });
  const names = legend(series);
  const undone = element("span", { class: "muted", hidden: true }, t("chart.undone"));
  const node = element("section", { class: "card", "aria-label": t("chart.compactions") },
    element("header", {}, element("h2", {}, t("chart.compactions")), element("div", { class: "tools" }, names.node, undone)), chart.node);
  /** @param {any} found of route 46 */
  const set = (found) => {
    node.hidden = found.timestamps.length < 2;
    const [each = [], saved = [], ratio = []] = found.datasets.map((/** @type {any} */ dataset) => dataset.data);
    const reverted = found.kinds.map((/** @type {string} */ kind) => kind === "reverted");
    const made = (/** @type {number[]} */ column) => column.map((value, index) => (reverted[index] ? null : value));
    const values = { each: made(each), saved, ratio: made(ratio) };
    undone.hidden = !reverted.at(-1);
    chart.set({ times: found.timestamps.map((/** @type {any} */ time) => new Date(time).getTime()), values, marks: found.positions.map((/** @type {any} */ _, /** @type {number} */ index) => index) });
    if (saved.length) names.set(values, saved.length - 1);
  };
  return { node, chart, set };
}
