// @ts-check
// Keys of every page: `g` and a letter goes somewhere, `?` helps. Pages add their own.

import { element } from "./dom.js";
import { go } from "./router.js";
import { t } from "./texts.js";
import { show } from "../parts/dialog.js";

/** @type {Record<string, string>} */
const PLACES = { l: "#/", s: "#/sessions", a: "#/audit", c: "#/content", m: "#/memory", p: "#/mcp", u: "#/usage", o: "#/models", y: "#/system" };
const SOON_MS = 1200;

/** @type {Record<string, () => void>} */
let ofPage = {};
let asked = 0;

/** @param {Record<string, () => void>} keys @returns {() => void} which takes them out again */
export function pageKeys(keys) {
  ofPage = keys;
  return () => { if (ofPage === keys) ofPage = {}; };
}

/** @param {HTMLElement} main */
export function listenToKeys(main) {
  addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (target.matches?.("textarea, select, input:not([type=range], [type=checkbox])")) return;
    const going = Date.now() - asked < SOON_MS && PLACES[event.key];
    asked = event.key === "g" ? Date.now() : 0;
    if (going) go(going);
    else if (event.key === "?") help();
    else if (event.key === "/") /** @type {HTMLElement | null} */ (main.querySelector("input[type=search]"))?.focus();
    else if (ofPage[event.key]) ofPage[event.key]();
    else return;
    event.preventDefault();
  });
}

const EVERYWHERE = ["g l", "g s", "g a", "g c", "g m", "g p", "g u", "g o", "g y", "/", "?"];
const LISTS = ["↑ ↓", "← →", "Home End", "Enter"];
const TRAVEL = [", .", "[ ]", "p", "0"];
const ON_COMPACTIONS = ["v", "c", "z"];

export function help() {
  show(t("keys.title"), helpTable());
}

export function helpTable() {
  const rows = (/** @type {string} */ title, /** @type {string[]} */ keys) => [
    element("h3", {}, t(`keys.${title}`)),
    element("dl", { class: "facts" }, keys.flatMap((key) => [
      element("dt", {}, key.split(" ").flatMap((each) => [element("kbd", {}, each), " "])), element("dd", {}, t(`key.${key}`))])),
  ];
  return element("div", {}, rows("everywhere", EVERYWHERE), rows("lists", LISTS), rows("travel", TRAVEL), rows("compactions", ON_COMPACTIONS));
}
