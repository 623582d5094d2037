// @ts-check
// States as shape, word and colour.

import { element } from "../core/dom.js";
import { percent } from "../core/formats.js";
import { t } from "../core/texts.js";

/** @param {string} word @param {string} kind */
export const badge = (word, kind) => element("span", { class: `badge ${kind}` }, word);
/** @param {string} word @param {string} kind */
export const mark = (word, kind) => element("span", { class: `mark ${kind}` }, word);

/** How full a context is. @param {number} used percent @returns {"ok" | "warn" | "bad"} */
export const level = (used) => (used >= 95 ? "bad" : used >= 80 ? "warn" : "ok");

/** @param {number} used */
export function levelWord(used) {
  return `${t(`level.${level(used)}`)} · ${percent(used)}`;
}

/** @type {Record<string, string>} */
const OUTCOMES = { completed: "ok", cancelled: "warn", interrupted: "warn", failed: "bad", refused: "bad" };

/** @param {any} exchange */
export function outcome(exchange) {
  const word = t(`outcome.${exchange.outcome}`);
  return mark(exchange.error ? `${word}: ${exchange.error.code}` : word, OUTCOMES[exchange.outcome] ?? "");
}

/** What family an event belongs to: it colours its name. @param {string} type */
export function family(type) {
  if (/Failed|Interrupted|Crashed|Gap|Refused|Erasure|Erased|BreakerOpened/.test(type)) return "trouble";
  if (/Mask|Compact|Compress|Pinned|Unpinned|Retrieved|Reserved|Pruned|Sanitizer/.test(type)) return "context";
  return /^Session|Workspace|AutoSession/.test(type) ? "lifecycle" : type.startsWith("Exchange") ? "exchange" : "";
}

/** @param {string} type */
export const eventName = (type) => element("span", { class: `event-name ${family(type)}` }, type);
