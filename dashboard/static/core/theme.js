// @ts-check
// Light, dark, or as the system says; and the colours of the theme for canvases, which know no variables.

import { keep, kept } from "./kept.js";

/** @type {Set<() => void>} */
const watchers = new Set();
/** @type {Map<string, string>} */
const colours = new Map();
const system = matchMedia("(prefers-color-scheme: dark)");

export const dark = () => (kept.theme ? kept.theme === "dark" : system.matches);

export function dress() {
  if (kept.theme) document.documentElement.dataset.theme = kept.theme;
  else delete document.documentElement.dataset.theme;
  colours.clear();
  for (const watcher of [...watchers]) watcher();
}

/** @param {"light" | "dark" | ""} theme */
export function wear(theme) {
  keep("theme", theme);
  dress();
}

/** Told when colours change; the answer takes the watcher out again. @param {() => void} watcher */
export function onTheme(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** @param {string} role such as `--ink` */
export function colour(role) {
  let found = colours.get(role);
  if (!found) {
    const probe = document.createElement("i");
    probe.style.color = `var(${role})`;
    document.body.append(probe);
    found = getComputedStyle(probe).color;
    probe.remove();
    colours.set(role, found);
  }
  return found;
}

system.addEventListener("change", dress);
