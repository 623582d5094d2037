// @ts-check
// Lists of events.

import { element } from "../core/dom.js";
import { clock, moment } from "../core/formats.js";
import { t } from "../core/texts.js";
import { eventName } from "./badges.js";
import { eventLink, sessionLink } from "./links.js";
import { line, table } from "./table.js";

/** @param {{session?: boolean}} [how] @returns {import("./table.js").Column[]} */
export function eventColumns({ session = true } = {}) {
  return [
    { label: "#", className: "mono number", show: (event) => eventLink(event.position) },
    { label: t("event.time"), className: "nowrap wide", show: (event) => element("time", { datetime: event.timestamp, title: moment(event.timestamp) }, clock(event.timestamp)) },
    ...(session ? [{ label: t("event.session"), className: "number wide", show: (/** @type {any} */ event) => sessionLink(event.session_id) }] : []),
    { label: t("event.type"), className: "nowrap", show: (event) => eventName(event.type) },
    { label: t("event.summary"), show: (event) => element("bdi", { class: "clamp", lang: "en" }, event.summary) },
  ];
}

/** @param {any[]} events @param {{session?: boolean, open?: (event: any) => void, current?: (event: any) => boolean}} [how] */
export function eventTable(events, { session, open, current } = {}) {
  return table({ caption: t("list.events"), columns: eventColumns({ session }), rows: events, open, current, key: (event) => event.position });
}

/** Put a new event above the others and let the last ones go. @param {HTMLTableSectionElement} body @param {any} event @param {number} most @param {{session?: boolean, open?: any}} how */
export function prepend(body, event, most, { session, open }) {
  if (body.firstElementChild && Number(/** @type {HTMLElement} */ (body.firstElementChild).dataset.key) >= event.position) return;
  body.prepend(line(eventColumns({ session }), event, open, null, (/** @type {any} */ row) => row.position));
  while (body.childElementCount > most) body.lastElementChild?.remove();
}
