// @ts-check
// Nothing there, not there yet, gone wrong.

import { Refused, Unreachable } from "../core/api.js";
import { element } from "../core/dom.js";
import { t } from "../core/texts.js";

export const loading = () => element("p", { class: "loading" }, t("state.loading"));

/** @param {string} title @param {...any} more */
export const empty = (title, ...more) => element("div", { class: "empty" }, element("strong", {}, title), ...more);

/** @param {any} error */
export function explain(error) {
  if (error instanceof Unreachable) return t("state.unreachable");
  if (error instanceof Refused && error.status === 401) return t("state.locked");
  if (error instanceof Refused && error.status === 422) return error.message.replace(FIELD, "").replace("Value error, ", "");
  return error instanceof Error ? error.message : String(error);
}

/** Where in a request something was wrong; the name of the field stays. */
const FIELD = /^(?:body|query|path|header)\.(?=\S+: )/;

/** @param {any} error @param {(() => void) | null} again */
export function failure(error, again) {
  const code = error instanceof Refused && error.code ? element("code", {}, error.code) : null;
  return element("div", { class: "note bad", role: "alert" },
    element("p", { lang: error instanceof Refused && error.status !== 401 && "en" }, explain(error), " ", code),
    again && element("button", { type: "button", class: "small", click: again }, t("action.again")));
}

/** @param {"" | "ok" | "warn" | "bad" | "past"} kind @param {...any} words */
export const note = (kind, ...words) => element("div", { class: `note ${kind}` }, ...words);
