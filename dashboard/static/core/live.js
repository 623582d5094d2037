// @ts-check
// The one WebSocket of the page: every event, resumed after the last one seen, without a gap.

import { Refused, Unreachable, request, token } from "./api.js";

const FIRST_MS = 400;
const LAST_MS = 8000;
const PING_MS = 20000;
const POLL_MS = 2000;
const ANSWER_MS = 60000;

/** @typedef {"connecting" | "live" | "offline"} LiveState */
/** @type {Set<(message: any) => void>} */
const listeners = new Set();
/** @type {Set<(state: LiveState) => void>} */
const watchers = new Set();
/** @type {WebSocket | null} */
let socket = null;
/** @type {LiveState} */
let state = "connecting";
let position = -1;
let wait = FIRST_MS;
let timer = 0;
let heard = 0;
let questions = 0;
/** @type {Map<string, (frame: any) => void>} */
const asked = new Map();

export const live = {
  get state() { return state; },
  /** The last event that this page has been told of. */
  get position() { return Math.max(position, 0); },
  /** Every message; the answer takes the listener out again. @param {(message: any) => void} listener */
  subscribe(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  /** @param {(state: LiveState) => void} watcher */
  watch(watcher) {
    watchers.add(watcher);
    watcher(state);
    return () => watchers.delete(watcher);
  },
  /** A question that only the socket answers: its reply. @param {string} type @param {Record<string, any>} fields @returns {Promise<any>} */
  ask(type, fields) {
    return new Promise((resolve, reject) => {
      if (!socket || socket.readyState !== WebSocket.OPEN) return void reject(new Unreachable("no socket"));
      const id = `page-${++questions}-${Date.now()}`;
      const done = (/** @type {any} */ frame) => {
        clearTimeout(late);
        asked.delete(id);
        if (!frame) reject(new Unreachable("no answer"));
        else if (frame.type === "error") reject(new Refused(400, frame));
        else resolve(frame);
      };
      const late = setTimeout(() => done(null), ANSWER_MS);
      asked.set(id, done);
      socket.send(JSON.stringify({ type, requestId: id, ...fields }));
    });
  },
  /** Begin, or try again now. */
  connect() {
    clearTimeout(timer);
    const old = socket;
    socket = null;
    old?.close();
    void open();
  },
};

/** @param {LiveState} next */
function become(next) {
  if (next === state) return;
  state = next;
  for (const watcher of watchers) watcher(state);
}

async function open() {
  try {
    const health = await (await request("/health")).json();
    if (position < 0) position = health.position;
  } catch {
    later();
    return;
  }
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const url = `${scheme}://${location.host}/ws?feed=events&after=${position}`;
  try {
    const protocols = token() ? ["chronoproxy", `bearer.${token()}`] : ["chronoproxy"];
    follow(new WebSocket(url, protocols));
  } catch {
    void poll(); // a token that no subprotocol can carry
  }
}

/** @param {WebSocket} opened */
function follow(opened) {
  socket = opened;
  heard = Date.now();
  opened.onopen = () => {
    wait = FIRST_MS;
    become("live");
  };
  opened.onmessage = ({ data }) => {
    heard = Date.now();
    hear(JSON.parse(data));
  };
  opened.onclose = () => {
    if (socket !== opened) return;
    socket = null;
    later();
  };
}

/** @param {any} message */
function hear(message) {
  if (message.type === "resync") position = message.position;
  else if (message.position > position) position = message.position;
  asked.get(message.requestId)?.(message);
  for (const listener of [...listeners]) listener(message);
}

function later() {
  become("offline");
  for (const done of [...asked.values()]) done(null);
  clearTimeout(timer);
  timer = setTimeout(open, wait * (0.75 + Math.random() / 2));
  wait = Math.min(wait * 1.7, LAST_MS);
}

/** Without a socket: the same events, every two seconds. */
async function poll() {
  try {
    const answer = await request(`/api/events?order=asc&limit=1000&from=${position + 1}`);
    become("live");
    for (const event of (await answer.json()).events) hear({ type: "event", position: event.position, event, state: null });
    timer = setTimeout(poll, POLL_MS);
  } catch {
    later();
  }
}

setInterval(() => {
  if (!socket || socket.readyState !== WebSocket.OPEN) return;
  if (Date.now() - heard > 2.5 * PING_MS) socket.close(); // a machine that slept: its connections are dead
  else socket.send('{"type":"ping"}');
}, PING_MS);
addEventListener("online", () => live.connect());
