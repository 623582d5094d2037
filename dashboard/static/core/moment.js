// @ts-check
// The moment that an address asks for (`?at=`): the event it means, or why it means none.

import { Refused, address, request } from "./api.js";
import { number } from "./formats.js";
import { t } from "./texts.js";

const SHOWN = 60;

/** @typedef {{asked: string, position: number | null, time: string | null, problem: string}} Asked */

/** @type {Asked} */
export const PRESENT = { asked: "", position: null, time: null, problem: "" };

/** @param {URLSearchParams} query @param {AbortSignal} [signal] @returns {Promise<Asked>} */
export async function momentOf(query, signal) {
  const asked = (query.get("at") ?? "").trim();
  if (!asked) return PRESENT;
  try {
    const answer = await request(address("/api/events", { at: asked, limit: 1 }), { signal });
    const { events } = await answer.json();
    return { asked, position: Number(answer.headers.get("X-As-Of")), time: events[0]?.timestamp ?? null, problem: "" };
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 422) throw error;
    const said = asked.length > SHOWN ? `${asked.slice(0, SHOWN)}…` : asked;
    const problem = error.code === "at_out_of_range" ? t("moment.ahead", { asked: said, head: number(error.context.head) }) : t("moment.none", { asked: said });
    return { asked, position: null, time: null, problem };
  }
}
