// @ts-check
// The public API. The token, where the proxy wants one, lives as long as the tab.

const KEY = "chronoproxy.token";

/** An answer that says no. */
export class Refused extends Error {
  /** @param {number} status @param {any} body */
  constructor(status, body) {
    super(typeof body?.error === "string" ? body.error : body?.error?.message ?? `HTTP ${status}`);
    this.status = status;
    this.code = body?.code ?? body?.error?.code ?? "";
    this.context = body ?? {};
  }
}

/** No answer at all. */
export class Unreachable extends Error {}

/** @type {Set<() => void>} */
const lockedOut = new Set();

/** Told whenever the proxy wants a token that it did not get. @param {() => void} listener */
export function onLockedOut(listener) {
  lockedOut.add(listener);
}

/** Whether a header can carry it: what none can carry is not the token. @param {string} token */
export const sendable = (token) => /^[\t\x20-\x7e\x80-\xff]*$/.test(token);
/** @param {string} token */
export const remember = (token) => sessionStorage.setItem(KEY, token);
export const token = () => sessionStorage.getItem(KEY) ?? "";

/** `address("/api/events", {type: ["A", "B"], q: ""})`; empty values are left out. @param {string} path @param {Record<string, any>} query */
export function address(path, query) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== null && each !== undefined && each !== "") search.append(name, String(each));
    }
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

/**
 * @param {string} path
 * @param {{method?: string, body?: any, least?: number, signal?: AbortSignal, headers?: Record<string, string>}} [how]
 *   `least`: the event that the answer must include
 */
export async function request(path, { method = "GET", body, least = 0, signal, headers = {} } = {}) {
  if (token()) headers.Authorization = `Bearer ${token()}`;
  if (least) headers["X-Min-Position"] = String(least);
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    const sent = body === undefined ? undefined : JSON.stringify(body);
    answer = await fetch(path, { method, headers, body: sent, signal, cache: "no-cache" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable(String(error));
  }
  if (answer.status === 401) for (const listener of lockedOut) listener();
  if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => null));
  return answer;
}

/** @param {string} path @param {{least?: number, signal?: AbortSignal}} [how] @returns {Promise<any>} */
export async function get(path, how) {
  return (await request(path, how)).json();
}

/** What a proxy of another version may not have: null where there is nothing at the address. @param {string} path @param {{signal?: AbortSignal}} [how] */
export async function optional(path, how) {
  try {
    return await get(path, how);
  } catch (error) {
    if (error instanceof Refused && [404, 405, 422].includes(error.status)) return null;
    throw error;
  }
}

/** A bare array and how many there are in all. @param {string} path @param {{least?: number, signal?: AbortSignal}} [how] */
export async function list(path, how) {
  const answer = await request(path, how);
  const rows = await answer.json();
  return { rows, total: Number(answer.headers.get("X-Total-Count") ?? rows.length) };
}

/** @typedef {{path: string, value: any, position: number, count: number | null, correlation: string}} Written
 *   `count` is null where the answer does not say how many events were written */
/** @type {Set<(written: Written) => void>} */
const writers = new Set();

/** Told of every write that was answered. @param {(written: Written) => void} listener */
export function onWritten(listener) {
  writers.add(listener);
}

/** A write: its answer and the event that it became. @param {string} method @param {string} path @param {any} [body] */
export async function send(method, path, body) {
  const answer = await request(path, { method, body });
  const text = await answer.text();
  const written = {
    path,
    value: text ? JSON.parse(text) : null,
    position: Number(answer.headers.get("X-Event-Position") ?? 0),
    count: answer.headers.has("X-Event-Count") ? Number(answer.headers.get("X-Event-Count")) : null,
    correlation: answer.headers.get("X-Request-Id") ?? "",
  };
  for (const listener of writers) listener(written);
  return written;
}

/** @param {string} path @param {any} [body] */
export const post = (path, body = {}) => send("POST", path, body);
