// @ts-check
// Compact, see beforehand what that does, undo: the same three from every page that shows a context.

import { address, get, post } from "../core/api.js";
import { element, fill, whenQuiet } from "../core/dom.js";
import { number, percent } from "../core/formats.js";
import { t } from "../core/texts.js";
import { ask, field, show } from "./dialog.js";
import { messageView } from "./messages.js";
import { complain, doing, tell } from "./receipts.js";
import { explain, note } from "./states.js";

const TYPED_MS = 250;

/** How it is to be done; what is left empty is as configured, and now. @typedef {{preserve?: string, force?: boolean, at?: number | null}} How */

/** @param {number | string} session @param {How} [how] */
async function previewOf(session, { preserve = "", force = false, at = null } = {}) {
  return get(address(`/api/compaction/${session}/preview`, { preserve_messages: preserve, force: force || null, at }));
}

/** @param {any} found */
export function previewView(found) {
  if (!found.can_compact) {
    const least = found.min_required ? ` ${t("compact.least", { n: number(found.min_required) })}` : "";
    return note("warn", `${found.message}${least}`);
  }
  const { estimate, preview } = found;
  return element("div", { class: "stack", id: "preview" },
    element("p", {}, element("strong", {}, t("compact.estimate", { before: number(estimate.original_tokens), after: number(estimate.compacted_tokens) })),
      ` · ${t("compact.saves", { n: number(estimate.tokens_saved), percent: percent(estimate.savings_percentage) })}`),
    element("p", { class: "muted" }, t("compact.messages", {
      gone: number(preview.messages_to_summarize), kept: number(preview.messages_to_preserve), total: number(preview.total_messages) })),
    element("h3", {}, t("compact.summary")),
    messageView({ role: "proxy", content: found.summary_text }, { kind: "added", small: true }),
    element("h3", {}, t("compact.first-removed")),
    element("div", {}, preview.messages_preview.map((/** @type {any} */ message) =>
      messageView({ role: message.role, preview: message.preview, truncated: message.full_length > message.preview.length }, { kind: "removed", small: true }))));
}

/** @param {number | string} session @param {number | null} [at] */
export async function preview(session, at = null) {
  try {
    show(t("compact.preview-title"), previewView(await previewOf(session, { at })));
  } catch (error) {
    complain(error);
  }
}

/** Ask with the preview in sight, then compact. @param {number | string} session @param {HTMLButtonElement | null} button @returns {Promise<boolean>} */
export async function compact(session, button) {
  const found = await doing(button, () => previewOf(session));
  if (!found) return false;
  const shown = element("div", { class: "stack" }, previewView(found));
  const kept = field(t("compact.preserve"), "preserve", { type: "number", min: 0, max: 200, value: found.config?.preserved_messages ?? "", placeholder: t("compact.as-configured") });
  const force = element("label", { class: "check" }, element("input", { type: "checkbox", name: "force" }), t("compact.force"));
  const answer = await ask({ title: t("compact.title"), body: [shown, element("div", { class: "row" }, kept, force)], yes: t("compact.do"),
    follow: (form, yes) => keepShown(session, form, yes, shown, found.can_compact) });
  if (!answer) return false;
  const { preserve, force: forced } = asked(answer);
  const body = { ...(preserve ? { preserve_messages: Number(preserve) } : {}), force: forced };
  const done = await doing(button, () => post(`/api/compaction/${session}`, body));
  if (done && !done.value.success) tell(done.value.message);
  return Boolean(done?.value.success);
}

/** @param {Record<string, any>} fields @returns {{preserve: string, force: boolean}} */
const asked = (fields) => ({ preserve: String(fields.preserve ?? "").trim(), force: fields.force === "on" });

/**
 * What is in sight is what would be done: read anew for what is filled in, and until it has come there is nothing to confirm.
 * @param {number | string} session @param {HTMLFormElement} form @param {HTMLButtonElement} yes @param {HTMLElement} shown @param {boolean} possible
 */
function keepShown(session, form, yes, shown, possible) {
  let turn = 0;
  yes.disabled = !possible;
  const read = async () => {
    const mine = ++turn;
    shown.classList.remove("stale");
    if (!form.checkValidity()) return void fill(shown, note("bad", /** @type {HTMLInputElement} */ (form.querySelector(":invalid")).validationMessage));
    shown.classList.add("stale");
    try {
      const found = await previewOf(session, asked(Object.fromEntries(new FormData(form))));
      if (mine !== turn) return;
      fill(shown, previewView(found));
      yes.disabled = !found.can_compact;
    } catch (error) {
      if (mine === turn) fill(shown, note("bad", explain(error)));
    }
    if (mine === turn) shown.classList.remove("stale");
  };
  const later = whenQuiet(() => void read(), TYPED_MS);
  form.addEventListener("input", () => {
    turn++;
    yes.disabled = true;
    shown.classList.add("stale");
    later();
  });
}

/** Which one that is, in words. @param {any} row of the history */
export const undoes = (row) => t(`undo.${row.kind}`, { id: row.id, before: number(row.tokens_before), after: number(row.tokens_after), n: number(row.summarized_messages) });

/** @param {number | string} session @param {HTMLButtonElement | null} button @param {any} row of the history */
export async function undo(session, button, row) {
  const answer = await ask({ title: t(`undo.title-${row.kind}`), body: [element("p", {}, element("strong", {}, undoes(row))), element("p", {}, t("undo.what"))], yes: t("undo.do") });
  if (!answer) return false;
  const which = row.kind === "compression" ? { log_id: row.id } : { history_id: row.id };
  const done = await doing(button, () => post(`/api/compaction/${session}/revert`, which));
  if (done) tell(t("undo.done", { count: done.value.restored_refs.length, n: number(done.value.restored_refs.length) }));
  return Boolean(done);
}

/** @param {number | string} session @param {number | null} [at] */
export const previewButton = (session, at = null) => element("button", { type: "button", id: "preview-button", click: () => void preview(session, at) }, t("action.preview"));

/** @param {number | string} session @param {() => void} after */
export function compactButtons(session, after) {
  const first = previewButton(session);
  const main = element("button", { type: "button", class: "primary", id: "compact-button", click: async () => { if (await compact(session, main)) after(); } }, t("action.compact"));
  return [first, main];
}
