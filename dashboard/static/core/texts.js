// @ts-check
// What the page says, in the language of the reader. `t("list.events", {n: 3})`: {n} is replaced, and of two texts with
// `|` between them the first is for one.

import { TEXTS as english } from "../texts/en.js";
import { kept } from "./kept.js";

/** @type {Record<string, string>} */
let texts = english;
let spoken = "en";

export const LANGUAGES = { en: "English", fr: "Français" };
export const language = () => spoken;

/** As chosen, else as the browser says. */
export async function speak() {
  const wanted = kept.language || navigator.languages.map((name) => name.slice(0, 2)).find((name) => name in LANGUAGES);
  spoken = wanted === "fr" ? "fr" : "en";
  texts = spoken === "fr" ? (await import("../texts/fr.js")).TEXTS : english;
  document.documentElement.lang = spoken;
}

/** @param {string} key @param {Record<string, any>} [values] */
export function t(key, values = {}) {
  const found = texts[key] ?? english[key] ?? key;
  const forms = found.split("|");
  const count = values.count ?? values.n;
  const one = forms.length > 1 && new Intl.PluralRules(spoken).select(Number(count)) === "one";
  const text = forms.length > 1 ? forms[one ? 0 : 1] : found;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
