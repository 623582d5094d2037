// @ts-check
// Addresses: `#/session/1/compactions?at=3605`. Where only the part after `?` changes, the page stays and is told.

/** @typedef {{path: string[], query: URLSearchParams}} Place */

/** @returns {Place} */
export function here() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { path: path.split("/").filter(Boolean).map(decoded), query: new URLSearchParams(search) };
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** @param {string[]} path @param {Record<string, any>} [query] */
export function to(path, query = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== null && each !== undefined && each !== "") search.append(name, String(each));
    }
  }
  const text = search.toString();
  return `#/${path.map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
}

/** Write the query without a new page in the history of the browser; the moment stays where none is given. A page that is
 * being left has no say. @param {Record<string, any>} query @param {string[]} own the path of the page that notes */
export function note(query, own) {
  const { path, query: old } = here();
  if (path.join("/") !== own.join("/")) return;
  const place = to(path, "at" in query ? query : { ...query, at: old.get("at") });
  if (place !== location.hash) history.replaceState(null, "", place);
}

/** @param {string} hash */
export function go(hash) {
  location.hash = hash;
}
