// @ts-check
// The memory of one session: its share of the context over time, groups of alike memories, promoting, letting go.

import { address, get, post } from "../core/api.js";
import { Chart, legend } from "../chart/chart.js";
import { element, fill } from "../core/dom.js";
import { number, percent, short } from "../core/formats.js";
import { t } from "../core/texts.js";
import { ask, field } from "./dialog.js";
import { onlyNow } from "./past.js";
import { doing, tell } from "./receipts.js";
import { empty } from "./states.js";
import { table } from "./table.js";

/** @param {import("../core/page.js").Page} page */
export function memoryOfSession(page) {
  const result = element("div", {});
  const session = () => String(new FormData(form).get("session"));
  /** @param {string} name @param {(id: string) => Promise<any>} work */
  const button = (name, work) => {
    const made = element("button", { type: "button", "data-do": name, click: () => { if (form.reportValidity()) void doing(made, async () => { const shown = await work(session()); if (shown && !page.left) fill(result, shown); }); } }, t(`memory.do-${name}`));
    return made;
  };
  const form = element("form", { class: "line", submit: (/** @type {Event} */ event) => event.preventDefault() },
    field(t("event.session"), "session", { type: "number", min: 1, required: true }),
    button("history", (id) => history(page, id)), button("similar", (id) => similar(page, id)), onlyNow(page, button("cluster", clusters)),
    onlyNow(page, button("promote", async (id) => tell((await post(`/api/memory/promote-patterns/${id}`)).value.message))));
  return element("div", { class: "stack" }, form, element("div", { class: "row" }, onlyNow(page, cleanup())), result);
}

/** @param {import("../core/page.js").Page} page @param {string} id */
async function history(page, id) {
  const { history: rows } = await get(address(`/api/sessions/${id}/memory`, { limit: 500, at: page.at }), { signal: page.signal });
  if (!rows.length) return empty(t("memory.no-history"));
  const sorted = [...rows].sort((a, b) => a.timestamp.localeCompare(b.timestamp));
  const series = [{ key: "memory", label: t("memory.of-memory"), tone: "--series-2", fill: true, format: number, axisFormat: short },
    { key: "chat", label: t("memory.of-chat"), tone: "--series-1", format: number, axisFormat: short }];
  const chart = new Chart({ label: t("memory.do-history"), height: 170, series });
  const names = legend(series);
  const values = { memory: sorted.map((row) => row.memory_tokens), chat: sorted.map((row) => row.chat_tokens) };
  chart.set({ times: sorted.map((row) => new Date(row.timestamp).getTime()), values });
  names.set(values, sorted.length - 1);
  page.whenLeft(() => chart.end?.());
  return element("div", { class: "stack" }, names.node, chart.node);
}

/** @param {import("../core/page.js").Page} page @param {string} id */
async function similar(page, id) {
  const answer = await get(address(`/api/memory/similar/${id}`, { peek: true, at: page.at }), { signal: page.signal });
  if (!answer.results_count) return empty(t("memory.nothing"), answer.message ?? "");
  return table({ caption: t("memory.do-similar"), rows: answer.results, key: (row) => row.id, columns: [
    { label: t("memory.score"), className: "number", show: (row) => percent(100 * row.similarity_score) },
    { label: t("memory.text"), show: (row) => element("bdi", { class: "clamp" }, row.content_preview) },
    { label: t("memory.access"), className: "number", show: (row) => number(row.access_count) }] });
}

/** @param {string} id */
async function clusters(id) {
  const { value } = await post(`/api/memory/cluster/${id}`);
  if (!value.cluster_count) return empty(t("memory.no-clusters"));
  return table({ caption: t("memory.do-cluster"), rows: value.clusters, key: (row) => row.id, columns: [
    { label: t("memory.topic"), show: (row) => element("bdi", {}, row.topic_label) },
    { label: t("memory.count"), className: "number", show: (row) => number(row.memory_count) },
    { label: t("memory.cohesion"), className: "number", show: (row) => percent(100 * row.cohesion_score) }] });
}

function cleanup() {
  const button = element("button", { type: "button", class: "danger", "data-do": "cleanup", click: async () => {
    const answer = await ask({ title: t("memory.cleanup-title"), yes: t("memory.cleanup"), danger: true, body: [element("p", {}, t("memory.cleanup-what")),
      field(t("memory.days"), "days", { type: "number", min: 0, max: 3650, value: 30, required: true })] });
    if (!answer) return;
    const done = await doing(button, () => post(address("/api/memory/cleanup", { max_age_days: answer.days })));
    if (done) tell(t("memory.cleaned", { count: done.value.deleted_count, n: number(done.value.deleted_count) }));
  } }, t("memory.cleanup"));
  return button;
}
