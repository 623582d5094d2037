// @ts-check
// The form of a proxy that wants its token. The token stays in this tab.

import { Refused, remember, request, sendable, token } from "./api.js";
import { element, say } from "./dom.js";
import { t } from "./texts.js";

let open = false;

/** @param {() => void} then */
export function login(then) {
  if (open) return;
  open = true;
  const wrong = element("p", { class: "bad", role: "alert" }, token() ? t("login.wrong") : "");
  const field = element("input", { type: "password", name: "token", id: "token", autocomplete: "off", required: true });
  const form = element("form", { id: "login" },
    element("h2", { id: "login-title" }, t("login.title")), element("p", {}, t("login.where")),
    element("label", { class: "field" }, t("login.token"), field), wrong,
    element("div", { class: "actions" }, element("button", { type: "submit", class: "primary" }, t("login.show"))));
  const dialog = element("dialog", { "aria-labelledby": "login-title" }, form);
  dialog.addEventListener("cancel", (/** @type {Event} */ event) => event.preventDefault());
  form.addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!sendable(field.value)) return say(wrong, t("login.wrong"));
    remember(field.value);
    try {
      await request("/api/sessions/auto-status");
    } catch (error) {
      say(wrong, error instanceof Refused && error.status === 401 ? t("login.wrong") : t("state.unreachable"));
      return;
    }
    open = false;
    dialog.close();
    dialog.remove();
    then();
  });
  document.body.append(dialog);
  dialog.showModal();
}
