// @ts-check
// Building the page. Whatever comes from outside goes in as text, never as markup.

/** Marks that turn the direction of what follows: text of others would rewrite the words beside it with them. */
const TURNS = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const SEEN = new Set(["title", "aria-label", "placeholder"]);

/** Such marks as signs that are seen. @param {string} text */
export const plain = (text) => text.replace(TURNS, (mark) => `⟨U+${mark.charCodeAt(0).toString(16).toUpperCase()}⟩`);

/**
 * @typedef {Node | string | number | null | undefined | false} Child
 * @typedef {Record<string, any>} Props attributes; functions are listeners of the event that the key names;
 *   true is an empty attribute, false and null are left out
 */

/**
 * @param {string} tag
 * @param {Props} props
 * @param {...(Child | Child[])} children
 * @returns {any}
 */
export function element(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : SEEN.has(name) ? plain(String(value)) : String(value));
  }
  put(node, ...children);
  return node;
}

/** @param {Element} node @param {...(Child | Child[])} children */
export function put(node, ...children) {
  node.append(...shown(children));
  return node;
}

/** @param {Element} node @param {...(Child | Child[])} children */
export function fill(node, ...children) {
  node.replaceChildren(...shown(children));
  return node;
}

/** @param {(Child | Child[])[]} children @returns {(Node | string)[]} */
function shown(children) {
  return children.flat(9).filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : plain(String(child))));
}

const LONG_WORD = /\S{25}/;

/** Text of unknown direction must not reorder what stands beside it, and only its long words are broken. @param {any} text */
export const foreign = (text) => element("bdi", { class: LONG_WORD.test(String(text)) && "long" }, text ?? "");

/** Write only what has changed: a text node that stays is not painted anew. @param {Element} node @param {string} text */
export function say(node, text) {
  const shown = plain(text);
  if (node.textContent !== shown) node.textContent = shown;
}

/** @param {string} id */
export const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** Run once before the next paint, however often it is asked for. @param {() => void} work */
export function beforePaint(work) {
  let asked = 0;
  return () => {
    if (asked) return;
    asked = requestAnimationFrame(() => {
      asked = 0;
      work();
    });
  };
}

/** Run when nobody has asked for so long. @param {() => void} work @param {number} ms */
export function whenQuiet(work, ms) {
  let timer = 0;
  const ask = () => {
    clearTimeout(timer);
    timer = setTimeout(work, ms);
  };
  ask.stop = () => clearTimeout(timer);
  return ask;
}
