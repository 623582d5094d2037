// @ts-check
// Ways out of the page: files, commands, addresses. With a token, files are fetched with it, since a link carries none.

import { Refused, request, token } from "../core/api.js";
import { element } from "../core/dom.js";
import { to } from "../core/router.js";
import { t } from "../core/texts.js";
import { eventName } from "./badges.js";
import { complain, tell } from "./receipts.js";

/** @param {string} label @param {string} path @param {string} [file] */
export function fileLink(label, path, file) {
  const link = element("a", { href: path, download: file ?? "" }, label);
  link.addEventListener("click", (/** @type {Event} */ event) => {
    if (!token()) return;
    event.preventDefault();
    void fetched(path, file ?? "chronoproxy.json");
  });
  return link;
}

/** @param {string} path @param {string} file */
async function fetched(path, file) {
  try {
    save(await (await request(path)).blob(), file);
  } catch (error) {
    complain(error instanceof Refused ? error : new Error(t("state.unreachable")));
  }
}

/** @param {Blob} blob @param {string} file */
export function save(blob, file) {
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: file }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** @typedef {{head: string[], rows: any[][]}} Sheet */

/** A table as CSV, where no route makes one. @param {string} file @param {() => Sheet | Promise<Sheet>} what */
export function csvButton(file, what) {
  const work = async () => {
    const { head, rows } = await what();
    save(new Blob([[head, ...rows].map(csvLine).join("")], { type: "text/csv" }), file);
  };
  return element("button", { type: "button", class: "link", click: () => void work().catch(complain) }, "CSV");
}

/** The same as JSON, where no route answers it. @param {string} file @param {() => any} what */
export function jsonButton(file, what) {
  const work = () => save(new Blob([JSON.stringify(what(), null, 2)], { type: "application/json" }), file);
  return element("button", { type: "button", class: "link", click: work }, "JSON");
}

/** Cells that a spreadsheet would run are made harmless. @param {any[]} cells */
export function csvLine(cells) {
  const quoted = cells.map((cell) => {
    const text = cell === null || cell === undefined ? "" : String(cell);
    const safe = typeof cell !== "number" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  });
  return `${quoted.join(",")}\r\n`;
}

/** @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    tell(t("copied"));
  } catch {
    tell(text); // no clipboard here: to be copied by hand
  }
}

/** @param {string} path */
export function curl(path) {
  const key = token() ? ` -H "Authorization: Bearer $CHRONOPROXY_TOKEN"` : "";
  return `curl -s${key} '${location.origin}${path.replaceAll("'", "%27")}'`;
}

/** @param {string} path */
export const curlButton = (path) =>
  element("button", { type: "button", class: "link", click: () => void copy(curl(path)) }, t("action.curl"));

/** @param {number} position @param {string} [type] */
export const eventLink = (position, type) =>
  element("a", { href: to(["event", String(position)]) }, type ? eventName(type) : `#${position}`);

/** @param {number | null} id @param {number | null} [at] */
export const sessionLink = (id, at = null) => (id === null ? "–" : element("a", { href: to(["session", String(id)], { at }) }, String(id)));
