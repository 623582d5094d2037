// @ts-check
// Which page an address names. Pages are loaded when they are first asked for.

import { Unreachable } from "./core/api.js";

/** @typedef {{show: (page: import("./core/page.js").Page, ...parts: string[]) => any}} PageModule */
/** @typedef {{load: () => Promise<PageModule>, parts: string[]}} Found */

/** A page that is not here yet did not come; browsers remember that, and only loading all anew helps. */
export class NotLoaded extends Unreachable {}

/** @type {[RegExp, string, () => Promise<PageModule>][]} */
const ROUTES = [
  [/^$/, "live", () => import("./pages/live.js")],
  [/^sessions$/, "sessions", () => import("./pages/sessions.js")],
  [/^session\/(\d+)$/, "sessions", () => import("./pages/travel.js")],
  [/^session\/(\d+)\/compactions$/, "sessions", () => import("./pages/compactions.js")],
  [/^session\/(\d+)\/exchanges$/, "sessions", () => import("./pages/exchanges.js")],
  [/^exchange\/(\d+)$/, "sessions", () => import("./pages/exchange.js")],
  [/^audit$/, "audit", () => import("./pages/audit.js")],
  [/^event\/(\d+)$/, "audit", () => import("./pages/event.js")],
  [/^content(?:\/([0-9a-f]+))?$/, "content", () => import("./pages/content.js")],
  [/^memory$/, "memory", () => import("./pages/memory.js")],
  [/^mcp$/, "mcp", () => import("./pages/mcp.js")],
  [/^usage$/, "usage", () => import("./pages/usage.js")],
  [/^models$/, "models", () => import("./pages/models.js")],
  [/^system$/, "system", () => import("./pages/system.js")],
];

/** @param {string[]} path @returns {Found | null} */
export function find(path) {
  for (const [pattern, , load] of ROUTES) {
    const match = pattern.exec(path.join("/"));
    if (match) return { load: () => load().catch(missed), parts: match.slice(1) };
  }
  return null;
}

/** @param {any} error @returns {never} */
function missed(error) {
  if (error instanceof TypeError) throw new NotLoaded(String(error));
  throw error;
}

/** The entry of the rail that an address belongs to. @param {string[]} path */
export function family(path) {
  return ROUTES.find(([pattern]) => pattern.test(path.join("/")))?.[1] ?? "live";
}
