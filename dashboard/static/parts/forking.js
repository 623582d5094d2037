// @ts-check
// Going on from a moment of a session in a new one; the old one stays as it is.

import { post } from "../core/api.js";
import { element } from "../core/dom.js";
import { number } from "../core/formats.js";
import { to } from "../core/router.js";
import { t } from "../core/texts.js";
import { ask, field } from "./dialog.js";
import { named } from "./messages.js";
import { doing, tell } from "./receipts.js";

/** @param {string} session @param {() => {at: number | null, position: number}} here `at` is null in the present */
export function forkButton(session, here) {
  const button = element("button", { type: "button", id: "fork-button", click: async () => {
    const { at, position } = here();
    const answer = await ask({ title: t("fork.title", { n: number(position) }), yes: t("fork.do"), body: [element("p", {}, t("fork.what")),
      field(t("session.name"), "name", { maxlength: 200, placeholder: t("fork.name-hint") }),
      element("label", { class: "check" }, element("input", { type: "checkbox", name: "activate" }), t("fork.activate"))] });
    if (!answer) return;
    const name = answer.name.trim();
    const body = { ...(at === null ? {} : { at }), ...(name ? { name } : {}), activate: answer.activate === "on" };
    const done = await doing(button, () => post(`/api/sessions/${session}/fork`, body));
    if (!done) return;
    const made = done.value.session;
    tell(t("fork.done", { count: done.value.messages, n: number(done.value.messages) }), " ", element("a", { href: to(["session", String(made.id)]) }, `#${made.id} `, named(made.name)));
  } }, t("fork.here"));
  return button;
}
