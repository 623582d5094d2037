// @ts-check
// What can be done with one session from a list.

import { post, send } from "../core/api.js";
import { element } from "../core/dom.js";
import { t } from "../core/texts.js";
import { ask, field } from "./dialog.js";
import { doing } from "./receipts.js";

/** @param {any} row @param {() => void} after */
export function actionsOf(row, after) {
  if (row.erased_at) return "";
  /** @param {string} name @param {(button: HTMLButtonElement) => Promise<any>} work */
  const button = (name, work) => {
    const made = element("button", { type: "button", class: "small", "aria-label": `${t(`action.${name}`)} #${row.id}`, click: async () => { if (await work(made)) after(); } }, t(`action.${name}`));
    return made;
  };
  return element("div", { class: "row nowrap" },
    row.is_active ? null : button("activate", (made) => doing(made, () => post(`/api/sessions/${row.id}/activate`))),
    button("rename", (made) => rename(row, made)), button("erase", (made) => erase(row, made)));
}

/** @param {any} row @param {HTMLButtonElement} button */
async function rename(row, button) {
  const answer = await ask({ title: t("rename.title"), yes: t("action.rename"), body: [field(t("session.name"), "name", { value: row.name, required: true, maxlength: 200, pattern: ".*\\S.*", title: t("rename.empty") })] });
  const name = answer?.name.trim();
  return name && doing(button, () => send("PATCH", `/api/sessions/${row.id}`, { name }));
}

/** The id has to be typed: nothing brings the contents back. @param {any} row @param {HTMLButtonElement} button */
async function erase(row, button) {
  const answer = await ask({ title: t("erase.title", { id: row.id }), yes: t("action.erase"), danger: true, body: [
    element("p", {}, t("erase.what")), field(t("erase.reason"), "reason", { maxlength: 500 }),
    field(t("erase.type", { id: row.id }), "id", { required: true, pattern: String(row.id), autocomplete: "off" })] });
  if (!answer || answer.id !== String(row.id)) return false;
  return doing(button, () => post(`/api/sessions/${row.id}/erase`, { confirm: true, ...(answer.reason ? { reason: answer.reason } : {}) }));
}
