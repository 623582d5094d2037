// @ts-check
// The two charts of a session: tokens in its context, and what was taken out of it.

import { Chart, legend } from "../chart/chart.js";
import { element } from "../core/dom.js";
import { money, number, percent, short } from "../core/formats.js";
import { t } from "../core/texts.js";

/** @param {any} series @param {string} title @param {number} height @param {((index: number) => void) | undefined} seek @param {any[]} tools */
function card(series, title, height, seek, tools) {
  const chart = new Chart({ label: title, height, series, seek });
  const names = legend(series);
  const node = element("section", { class: "card", "aria-label": title },
    element("header", {}, element("h2", {}, title), element("div", { class: "tools" }, names.node, tools)), chart.node);
  return { chart, names, node };
}

/** @param {{seek?: (index: number) => void, cost?: boolean, height?: number, tools?: any[]}} how */
export function tokenChart({ seek, cost = true, height = 210, tools = [] }) {
  const series = [
    { key: "used", label: t("chart.used"), tone: "--series-1", fill: true, format: number, axisFormat: short },
    ...(cost ? [{ key: "cost", label: t("chart.cost"), tone: "--series-3", right: true, step: true, format: money }] : []),
  ];
  const made = card(series, t("chart.context"), height, seek, tools);
  /** @param {import("../time/timeline.js").Timeline} timeline @param {boolean} byTime */
  const set = (timeline, byTime) => {
    const { used, max, reserved } = timeline.columns;
    const limit = (max[timeline.last] ?? 0) - (reserved[timeline.last] ?? 0);
    made.chart.set({ times: timeline.times, values: { used, cost: timeline.sums?.cost ?? [] }, limit, marks: timeline.marks, byTime });
  };
  return { ...made, set, columns: (/** @type {any} */ timeline) => ({ used: timeline.columns.used, cost: timeline.sums.cost }) };
}

/** @param {{seek?: (index: number) => void, height?: number}} how */
export function savingChart({ seek, height = 150 }) {
  const series = [
    { key: "saved", label: t("chart.saved"), tone: "--series-2", step: true, fill: true, format: number, axisFormat: short },
    { key: "ratio", label: t("chart.ratio"), tone: "--series-3", right: true, step: true, format: percent },
  ];
  const made = card(series, t("chart.compactions"), height, seek, []);
  /** @param {import("../time/timeline.js").Timeline} timeline @param {boolean} byTime */
  const set = (timeline, byTime) => {
    const { saved, ratio } = /** @type {any} */ (timeline.sums);
    made.chart.set({ times: timeline.times, values: { saved, ratio }, marks: timeline.marks, byTime });
  };
  return { ...made, set, columns: (/** @type {any} */ timeline) => ({ saved: timeline.sums.saved, ratio: timeline.sums.ratio }) };
}
