// @ts-check
// Building the page. Whatever comes from outside goes in as text, never as markup.

/**
 * @param {string} tag
 * @param {Record<string, string>} attributes
 * @param {...(Node | string)} children
 */
export function element(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Text of unknown direction must not reorder what stands beside it. @param {string} text */
export function foreign(text) {
  return element("bdi", {}, text);
}

/**
 * @typedef {{label: string, className?: string, show: (row: any) => Node | string}} Column
 * @param {string} caption
 * @param {Column[]} columns
 * @param {any[]} rows
 */
export function table(caption, columns, rows) {
  const head = columns.map(({ label, className = "" }) => element("th", { scope: "col", class: className }, label));
  const body = rows.map((row) =>
    element("tr", {}, ...columns.map(({ label, className = "", show }) =>
      element("td", { class: className, "data-label": label }, show(row)))));
  return element("table", { "aria-label": caption },
    element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
}

/** @param {string} id @param {...(Node | string)} children */
export function fill(id, ...children) {
  document.getElementById(id)?.replaceChildren(...children);
}
