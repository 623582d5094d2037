// @ts-check
// What a page says of an erased session: its contents are gone for good, and nothing can be done with it any more.

import { moment } from "../core/formats.js";
import { t } from "../core/texts.js";
import { atRest } from "./past.js";
import { note } from "./states.js";

/** @param {any} session of the API, or null */
export const erasedNote = (session) => (session?.erased_at ? note("warn", t("erased.note", { time: moment(session.erased_at) })) : null);

/** @template {Element} T @param {any} session of the API, or null @param {T} node @returns {T} */
export const unlessErased = (session, node) => (session?.erased_at ? atRest(node, t("erased.why")) : node);
