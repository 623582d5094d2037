// @ts-check
// Providers and models: windows, prices, what they can do, and how many requests went out this minute.

import { get } from "../core/api.js";
import { element, fill } from "../core/dom.js";
import { number, percent, rate as price } from "../core/formats.js";
import { t } from "../core/texts.js";
import { mark } from "../parts/badges.js";
import { csvButton, fileLink } from "../parts/links.js";
import { named } from "../parts/messages.js";
import { pointHere } from "../parts/point_here.js";
import { priceCard, priceOf } from "../parts/prices.js";
import { empty } from "../parts/states.js";
import { table } from "../parts/table.js";

/** @type {Record<string, string>} */
const RATES = { normal: "ok", elevated: "ok", warning: "warn", critical: "bad" };

/** @param {import("../core/page.js").Page} page */
export async function show(page) {
  const how = { signal: page.signal };
  const [providers, listed, rate, prices, point] = await Promise.all([get("/api/providers", how), get("/v1/models", how), get("/api/rate-limit", how), get("/api/prices", how), pointHere(page.signal)]);
  if (page.left) return;
  const limits = new Map(listed.data.map((/** @type {any} */ model) => [model.id, model]));
  const rows = providers.flatMap((/** @type {any} */ provider) => provider.models.map((/** @type {any} */ model) => ({ ...model, provider, price: priceOf(prices, provider.key, model.model) })));
  const csv = csvButton("models.csv", () => ({ head: ["key", "provider", "model", "max_context_size", "input", "output"],
    rows: rows.map((/** @type {any} */ row) => [row.key, row.provider.key, row.model, row.max_context_size, row.price?.input, row.price?.output]) }));
  fill(page.root, element("div", { class: "head" }, element("h1", {}, t("rail.models"))),
    element("section", { class: "card five", "aria-label": t("models.rate") }, element("header", {}, element("h2", {}, t("models.rate"))),
      element("div", { class: "row" }, element("strong", {}, t("models.rpm", { n: number(rate.current_rpm), most: rate.max_rpm ? number(rate.max_rpm) : "∞" })),
        mark(`${t(`rate.${rate.status}`)} · ${percent(rate.percentage)}`, RATES[rate.status] ?? ""), element("span", { class: "muted" }, t(`mode.${rate.mode}`)))),
    element("section", { class: "card seven", "aria-label": t("models.providers") }, element("header", {}, element("h2", {}, t("models.providers")), element("div", { class: "tools" }, fileLink("JSON", "/api/providers", "providers.json"))),
      table({ caption: t("models.providers"), rows: providers, key: (row) => row.key, columns: [
        { label: t("session.name"), show: (row) => named(row.name) }, { label: t("event.type"), show: (row) => row.type },
        { label: t("models.count"), className: "number", show: (row) => number(row.models.length) },
        { label: t("models.key"), show: (row) => (row.has_api_key ? mark(t("models.has-key"), "ok") : mark(t("models.no-key"), "")) }] })),
    element("section", { class: "card", "aria-label": t("rail.models") }, element("header", {}, element("h2", {}, t("rail.models")), element("div", { class: "tools" }, fileLink("JSON", "/api/models/all", "models.json"), csv)),
      rows.length ? table({ caption: t("rail.models"), rows, key: (row) => row.key, columns: [
        { label: t("session.model"), show: (row) => [element("code", {}, named(row.key)), row.model !== row.key ? element("span", { class: "muted" }, " → ", named(row.model)) : null] },
        { label: t("exchange.provider"), className: "wide", show: (row) => named(row.provider.name) },
        { label: t("models.window"), className: "number", show: (row) => number(row.max_context_size) },
        { label: t("models.answer"), className: "number wide", show: (row) => number(limits.get(row.key)?.max_output_tokens) },
        { label: t("models.input"), className: "number", show: (row) => price(row.price?.input) },
        { label: t("models.output"), className: "number", show: (row) => price(row.price?.output) },
        { label: t("models.abilities"), className: "wide", show: (row) => row.capabilities.join(", ") || "–" }] }) : empty(t("models.none"))),
    priceCard(prices, page.signal), point);
}
