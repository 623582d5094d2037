// @ts-check
// One memory whole: where it comes from, and letting it go or having it back.

import { address, get, send } from "../core/api.js";
import { element, fill } from "../core/dom.js";
import { moment, number, percent } from "../core/formats.js";
import { t } from "../core/texts.js";
import { mark } from "./badges.js";
import { show } from "./dialog.js";
import { eventLink, sessionLink } from "./links.js";
import { onlyNow } from "./past.js";
import { complain, doing } from "./receipts.js";

/** @param {import("../core/page.js").Page} page @param {string | number} id @param {() => void} after */
export async function memoryDialog(page, id, after) {
  const holder = element("div", { class: "stack" });
  const draw = async () => { fill(holder, onlyNow(page, view(await get(address(`/api/memory/${id}`, { at: page.at })), change))); };
  /** @param {HTMLButtonElement} button @param {string} method @param {string} path */
  const change = async (button, method, path) => {
    if (await doing(button, () => send(method, path))) {
      await draw();
      after();
    }
  };
  try {
    await draw();
    show(t("memory.one", { id }), holder);
  } catch (error) {
    complain(error);
  }
}

/** @param {any} memory @param {(button: HTMLButtonElement, method: string, path: string) => Promise<void>} change */
function view(memory, change) {
  const path = `/api/memory/${memory.id}`;
  /** @param {string} name @param {string} method @param {string} at */
  const button = (name, method, at) => {
    const made = element("button", { type: "button", "data-do": name, click: () => void change(made, method, at) }, t(`memory.${name}`));
    return made;
  };
  const origin = memory.provenance?.position;
  return element("div", { class: "stack" },
    element("div", { class: "row" }, memory.forgotten ? mark(t("memory.forgotten"), "warn") : mark(t(`memory-type.${memory.memory_type}`), "ok"),
      element("span", { class: "muted small" }, t("message.tokens", { count: memory.token_count, n: number(memory.token_count) }), " · ", moment(memory.created_at), " · "), sessionLink(memory.session_id), origin ? eventLink(origin) : null),
    element("pre", { tabindex: 0, dir: "auto", "aria-label": t("memory.text") }, memory.content ?? t("message.erased")),
    memory.near_duplicates?.length ? element("p", { class: "small" }, t("memory.near"), " ", memory.near_duplicates.map((/** @type {any} */ near) => `#${near.memory_id} (${percent(100 * near.similarity)})`).join(", ")) : null,
    element("details", {}, element("summary", {}, t("memory.origin")), element("pre", {}, JSON.stringify({ metadata: memory.metadata, provenance: memory.provenance, content_ref: memory.content_ref }, null, 2))),
    element("div", { class: "row" }, memory.forgotten ? button("restore", "POST", `${path}/restore`) : button("forget", "DELETE", path),
      memory.memory_type === "frequent" && !memory.forgotten ? button("demote", "POST", `${path}/demote`) : null));
}
