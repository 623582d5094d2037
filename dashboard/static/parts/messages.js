// @ts-check
// Messages of a conversation, readable and hostile: only ever text.

import { element, foreign } from "../core/dom.js";
import { number } from "../core/formats.js";
import { to } from "../core/router.js";
import { t } from "../core/texts.js";

const SHOWN = 6000;

/** @param {any} content @returns {string} */
export function textOf(content) {
  if (content === null || content === undefined) return "";
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return JSON.stringify(content, null, 2);
  return content.map((part) => (typeof part?.text === "string" ? part.text : JSON.stringify(part))).join("\n");
}

/** @param {any[]} calls */
export const callsText = (calls) =>
  (calls ?? []).map((call) => `→ ${call?.function?.name ?? call?.type ?? "?"}(${call?.function?.arguments ?? ""})`).join("\n");

/** The whole of a message as one text. @param {any} message */
export const wholeText = (message) => [textOf(message.content), callsText(message.tool_calls)].filter(Boolean).join("\n");

/**
 * @param {any} message of the contract's Msg, or a preview of one
 * @param {{kind?: string, small?: boolean, tools?: any[]}} [how]
 */
export function messageView(message, { kind = "", small = false, tools = [] } = {}) {
  const whole = message.preview ?? wholeText(message);
  const text = whole.length > SHOWN ? `${whole.slice(0, SHOWN)}…` : whole;
  const cut = message.truncated ? t("message.cut") : "";
  const reduced = message.reduction;
  const head = element("div", { class: "row small muted" },
    element("strong", {}, message.role || t("message.unknown")),
    message.tokens ? element("span", {}, t("message.tokens", { count: message.tokens, n: number(message.tokens) })) : null,
    message.pinned ? element("span", { class: "mark ok" }, t("message.pinned")) : null,
    reduced ? element("span", { class: "mark warn" }, t("message.reduced", {
      stage: reduced.stage, before: number(reduced.tokens_before), after: number(reduced.tokens_after) })) : null,
    reduced?.mask_hash ? element("a", { href: to(["content", reduced.mask_hash]) }, `mask:${reduced.mask_hash}`) : null,
    message.ref ? element("code", { title: message.ref }, message.ref.slice(0, 8)) : null, tools);
  const body = text ? element("div", { class: "text", dir: "auto" }, text) : element("div", { class: "text muted" }, absent(message));
  const long = small ? text.length > 160 || text.split("\n").length > 4 : text.length > 900;
  if (long) {
    body.tabIndex = 0;
    body.setAttribute("role", "group");
    body.setAttribute("aria-label", t("message.text"));
  }
  return element("article", { class: `message ${kind} ${small ? "small-text" : ""}` }, head, body, cut && element("small", { class: "muted" }, cut));
}

/** @param {any} message */
function absent(message) {
  return message.erased ? t("message.erased") : message.preview === null ? t("message.gone") : t("message.empty");
}

/** @param {any} name */
export const named = (name) => foreign(name || "–");
