// @ts-check
// After each write: which event it became, with a link to it. Nothing written says so too.

import { address, get, onWritten } from "../core/api.js";
import { byId, element } from "../core/dom.js";
import { to } from "../core/router.js";
import { t } from "../core/texts.js";
import { eventName } from "./badges.js";
import { explain } from "./states.js";

const STAYS_MS = 9000;
const MOST = 4;

/** @param {any[]} content @param {string} [kind] */
function show(content, kind = "") {
  const holder = byId("receipts");
  const node = element("div", { class: `receipt ${kind}` }, element("div", {}, content));
  const close = () => node.remove();
  node.append(element("button", { type: "button", class: "small", "aria-label": t("action.close"), click: close }, "×"));
  holder.append(node);
  while (holder.childElementCount > MOST) holder.firstElementChild?.remove();
  setTimeout(close, STAYS_MS);
}

/** @param {...(Node | string)} words */
export const tell = (...words) => show(words);
/** @param {any} error */
export const complain = (error) => show([explain(error)], "bad");

/** @param {any} event */
const linkTo = (event) => element("div", {}, element("a", { href: to(["event", String(event.position)]) }, eventName(event.type), ` #${event.position}`));

/** @param {import("../core/api.js").Written} written */
async function receipt({ position, count, correlation }) {
  if (count === null) return receiptOf(correlation, position);
  if (!position) return;
  if (!count) return tell(t("receipt.nothing"));
  const first = Math.max(1, position - count - 20); // others may have written between ours
  const { events } = await get(`/api/events?from=${first}&to=${position}`).catch(() => ({ events: [] }));
  const ours = events.filter((/** @type {any} */ event) => event.correlation_id === correlation || event.position === position);
  const links = ours.slice(0, 3).reverse().map(linkTo);
  show([t("receipt.written", { count }), links.length ? links : ` #${position}`]);
}

/** The same where no answer says how much was written: over the socket, through the gateway. @param {string} correlation @param {number} [least] the event that must be there */
export async function receiptOf(correlation, least = 0) {
  const path = address("/api/events", { correlation_id: correlation, order: "asc", limit: 3 });
  const { events, total } = await get(path, { least }).catch(() => ({ events: [], total: 0 }));
  if (total) show([t("receipt.written", { count: total }), events.map(linkTo)]);
}

export function giveReceipts() {
  onWritten((written) => void receipt(written));
}

/** Run a write; what goes wrong is told. The button rests meanwhile. @param {HTMLButtonElement | null} button @param {() => Promise<any>} work */
export async function doing(button, work) {
  if (button) button.disabled = true;
  try {
    return await work();
  } catch (error) {
    complain(error);
    return undefined;
  } finally {
    if (button) button.disabled = false;
  }
}
