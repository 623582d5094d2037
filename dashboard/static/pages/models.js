// @ts-check
// Providers and models: windows, prices, what they can do, and how many requests went out this minute.

import { get } from "../core/api.js";
import { element, fill, whenQuiet } from "../core/dom.js";
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

const QUIET_MS = 800;
const MINUTE_MS = 60_000;

/** @param {import("../core/page.js").Page} page */
export async function show(page) {
  const rate = rateRow(page);
  await draw(page, rate);
  if (page.left) return;
  const anew = whenQuiet(() => void draw(page, rate).catch(() => undefined), QUIET_MS); // the connection tells
  page.whenLeft(anew.stop);
  page.follow((message) => { if (message.type === "resync" || /^(ConfigurationLoaded|PriceBookAdopted)$/.test(message.event?.type ?? "")) anew(); });
}

/** How many requests went out in the last minute: read again after requests, and once they are older than that. @param {import("../core/page.js").Page} page */
function rateRow(page) {
  const row = element("div", { class: "row" });
  const set = (/** @type {any} */ rate) => {
    fill(row, element("strong", {}, t("models.rpm", { n: number(rate.current_rpm), most: rate.max_rpm ? number(rate.max_rpm) : "∞" })),
      mark(`${t(`rate.${rate.status}`)} · ${percent(rate.percentage)}`, RATES[rate.status] ?? ""), element("span", { class: "muted" }, t(`mode.${rate.mode}`)));
    if (rate.current_rpm) older();
  };
  const read = async () => {
    try {
      set(await get("/api/rate-limit", { signal: page.signal }));
    } catch {
      // the connection tells
    }
  };
  const quiet = whenQuiet(() => void read(), QUIET_MS);
  const older = whenQuiet(() => void read(), MINUTE_MS / 4);
  page.whenLeft(quiet.stop);
  page.whenLeft(older.stop);
  page.follow((message) => { if (/^(metric|metric_updated)$/.test(message.type) || /^Exchange/.test(message.event?.type ?? "")) quiet(); });
  return { node: row, set };
}

/** @param {import("../core/page.js").Page} page @param {ReturnType<typeof rateRow>} requests */
async function draw(page, requests) {
  const how = { signal: page.signal };
  const [providers, listed, rate, prices, point] = await Promise.all([get("/api/providers", how), get("/v1/models", how), get("/api/rate-limit", how), get("/api/prices", how), pointHere(page.signal)]);
  if (page.left) return;
  const limits = new Map(listed.data.map((/** @type {any} */ model) => [model.id, model]));
  const rows = providers.flatMap((/** @type {any} */ provider) => provider.models.map((/** @type {any} */ model) => ({ ...model, provider, price: priceOf(prices, provider.key, model.model) })));
  const csv = csvButton("models.csv", () => ({ head: ["key", "provider", "model", "max_context_size", "input", "output"],
    rows: rows.map((/** @type {any} */ row) => [row.key, row.provider.key, row.model, row.max_context_size, row.price?.input, row.price?.output]) }));
  requests.set(rate);
  const providersCsv = csvButton("providers.csv", () => ({ head: ["key", "name", "type", "models", "has_api_key"],
    rows: providers.map((/** @type {any} */ row) => [row.key, row.name, row.type, row.models.length, row.has_api_key]) }));
  fill(page.root, element("div", { class: "head" }, element("h1", {}, t("rail.models"))),
    element("section", { class: "card five", "aria-label": t("models.rate") }, element("header", {}, element("h2", {}, t("models.rate"))),
      requests.node),
    element("section", { class: "card seven", "aria-label": t("models.providers") }, element("header", {}, element("h2", {}, t("models.providers")), element("div", { class: "tools" }, fileLink("JSON", "/api/providers", "providers.json"), providersCsv)),
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
