// @ts-check
// Each compaction of a session: what it saved, what all saved together, how much of the context that was.

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
  const node = element("section", { class: "card", "aria-label": t("chart.compactions") },
    element("header", {}, element("h2", {}, t("chart.compactions")), element("div", { class: "tools" }, names.node)), chart.node);
  /** @param {any} found of route 46 */
  const set = (found) => {
    node.hidden = found.timestamps.length < 2;
    const [each = [], saved = [], ratio = []] = found.datasets.map((/** @type {any} */ dataset) => dataset.data);
    const values = { each: each.map((/** @type {number} */ value) => Math.max(value, 0)), saved, ratio };
    chart.set({ times: found.timestamps.map((/** @type {any} */ time) => new Date(time).getTime()), values, marks: found.positions.map((/** @type {any} */ _, /** @type {number} */ index) => index) });
    if (saved.length) names.set(values, saved.length - 1);
  };
  return { node, chart, set };
}
