// @ts-check
// Numbers and times as people of this language write them.

import { element, say } from "./dom.js";
import { language, t } from "./texts.js";

/** The browser's own region, where it speaks the page's language. */
function locale() {
  return navigator.languages.find((name) => name.startsWith(language())) ?? language();
}

/** @type {Map<string, any>} */
const made = new Map();

/** @template T @param {string} name @param {(locale: string) => T} make @returns {T} */
function once(name, make) {
  const key = `${language()} ${name}`;
  if (!made.has(key)) made.set(key, make(locale()));
  return made.get(key);
}

/** @param {string} name @param {Intl.NumberFormatOptions} options @param {any} value */
function numeric(name, options, value) {
  if (value === null || value === undefined) return "–";
  return once(name, (where) => new Intl.NumberFormat(where, options)).format(value);
}

/** @param {any} value */
export const number = (value) => numeric("number", { maximumFractionDigits: 0 }, value);
/** @param {any} value */
export const decimal = (value) => numeric("decimal", { maximumFractionDigits: 2 }, value);
/** A price: cents of cents count. @param {any} value */
export const rate = (value) => numeric("rate", { maximumFractionDigits: 4 }, value);
/** 5.1M @param {any} value */
export const short = (value) => numeric("short", { notation: "compact", maximumFractionDigits: 1 }, value);
/** Of 0 to 100. @param {any} value */
export const percent = (value) =>
  numeric("percent", { style: "percent", maximumFractionDigits: 1 }, value === null || value === undefined ? null : value / 100);
/** Small sums need more digits. @param {any} value */
export function money(value) {
  const small = value !== 0 && Math.abs(value ?? 0) < 0.1;
  return numeric(small ? "money4" : "money", { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol", maximumFractionDigits: small ? 4 : 2 }, value);
}

/** @param {any} value */
export function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  const step = Math.min(Math.floor(Math.log10(Math.max(value, 1)) / 3), units.length - 1);
  const options = { style: "unit", unit: units[step], unitDisplay: "short", maximumFractionDigits: step ? 1 : 0 };
  return numeric(`bytes${step}`, /** @type {any} */ (options), value / 1000 ** step);
}

/** Milliseconds as ms, s, min or h. @param {any} ms */
export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  const [unit, size, digits] = ms < 1000 ? ["millisecond", 1, 0]
    : ms < 60000 ? ["second", 1000, 1] : ms < 3.6e6 ? ["minute", 60000, 0] : ["hour", 3.6e6, 1];
  const options = { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: digits };
  return numeric(`duration ${unit}`, /** @type {any} */ (options), ms / Number(size));
}

/** @param {any} iso a time, or epoch milliseconds */
export function clock(iso) {
  if (iso === null || iso === undefined) return "–";
  return once("clock", (where) => new Intl.DateTimeFormat(where, { timeStyle: "medium" })).format(new Date(iso));
}

/** @param {any} iso */
export function moment(iso) {
  if (iso === null || iso === undefined) return "–";
  const options = /** @type {any} */ ({ dateStyle: "medium", timeStyle: "medium" });
  return once("moment", (where) => new Intl.DateTimeFormat(where, options)).format(new Date(iso));
}

/** Only the hour where it was today. @param {any} iso */
export function when(iso) {
  if (iso === null || iso === undefined) return "–";
  return new Date(iso).toDateString() === new Date().toDateString() ? clock(iso) : moment(iso);
}

/** Labels of a time axis that spans `ms`. @param {number} ms @returns {(value: number) => string} */
export function axisTime(ms) {
  const options = ms > 3 * 86.4e6 ? { month: "short", day: "numeric" }
    : ms > 3 * 60000 ? { hour: "2-digit", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit", second: "2-digit" };
  const format = once(`axis ${Object.keys(options).join()}`,
    (where) => new Intl.DateTimeFormat(where, /** @type {any} */ (options)));
  return (value) => format.format(new Date(value));
}

/** How long ago, as an element that grows older with its page. @param {any} iso @returns {HTMLElement | string} */
export const ago = (iso) => (iso ? element("time", { "data-ago": iso, datetime: iso, title: moment(iso) }, since(iso)) : "–");

/** The ages in a part of the page, said anew where they have changed. @param {Element} root */
export function age(root) {
  for (const node of root.querySelectorAll("[data-ago]")) say(node, since(/** @type {HTMLElement} */ (node).dataset.ago));
}

/** @param {any} iso */
function since(iso) {
  const seconds = (Date.now() - new Date(iso).getTime()) / 1000;
  if (seconds < 5) return t("time.now");
  const [value, unit] = seconds < 60 ? [seconds, "second"] : seconds < 3600 ? [seconds / 60, "minute"]
    : seconds < 86400 ? [seconds / 3600, "hour"] : [seconds / 86400, "day"];
  const format = once("ago", (where) => new Intl.RelativeTimeFormat(where, { numeric: "auto", style: "short" }));
  return format.format(-Math.round(Number(value)), /** @type {any} */ (unit));
}
