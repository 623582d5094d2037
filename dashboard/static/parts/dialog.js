// @ts-check
// Questions before something happens.

import { element } from "../core/dom.js";
import { t } from "../core/texts.js";

/**
 * Ask with fields; the answer holds their values by name, null where it was called off.
 * @param {{title: string, body?: any[], yes: string, danger?: boolean, follow?: (form: HTMLFormElement, yes: HTMLButtonElement) => void}} what
 *   `follow` is given the form and its button: what is confirmed may depend on what is filled in
 * @returns {Promise<Record<string, string> | null>}
 */
export function ask({ title, body = [], yes, danger, follow }) {
  return new Promise((resolve) => {
    /** @type {Record<string, string> | null} */
    let answer = null;
    const submit = element("button", { type: "submit", class: danger ? "danger" : "primary" }, yes);
    const form = element("form", { method: "dialog" },
      element("h2", { id: "dialog-title" }, title), body,
      element("div", { class: "actions" },
        element("button", { type: "button", click: () => dialog.close() }, t("action.cancel")),
        submit));
    follow?.(form, submit);
    const dialog = element("dialog", { "aria-labelledby": "dialog-title" }, form);
    form.addEventListener("submit", () => {
      answer = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Something to read, closed with Escape. @param {string} title @param {...any} body */
export function show(title, ...body) {
  const close = element("button", { type: "button", click: () => dialog.close() }, t("action.close"));
  const dialog = element("dialog", { "aria-labelledby": "dialog-title" },
    element("div", { class: "body" }, element("h2", { id: "dialog-title" }, title), ...body, element("div", { class: "actions" }, close)));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  close.focus();
  return dialog;
}

/** @param {string} label @param {string} name @param {import("../core/dom.js").Props} [props] */
export const field = (label, name, props = {}) =>
  element("label", { class: "field" }, label, element("input", { name, ...props }));

/** @param {string} label @param {string} name @param {[string, string][]} options value and label @param {string} [chosen] */
export const choice = (label, name, options, chosen = "") =>
  element("label", { class: "field" }, label, element("select", { name },
    options.map(([value, text]) => element("option", { value, selected: value === chosen }, text))));
