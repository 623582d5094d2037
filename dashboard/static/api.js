// @ts-check
// Reading the public API. The token, where the proxy wants one, lives as long as the tab.

const KEY = "chronoproxy.token";

export class Unauthorized extends Error {}

/** @param {string} token */
export function remember(token) {
  sessionStorage.setItem(KEY, token);
}

export function token() {
  return sessionStorage.getItem(KEY) ?? "";
}

/**
 * @param {string} path
 * @param {number} [least] the event that the answer must include
 * @returns {Promise<any>}
 */
export async function get(path, least = 0) {
  /** @type {Record<string, string>} */
  const headers = least ? { "X-Min-Position": String(least) } : {};
  if (token()) headers.Authorization = `Bearer ${token()}`;
  const answer = await fetch(path, { headers, cache: "no-store" });
  if (answer.status === 401) throw new Unauthorized();
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return answer.json();
}
