// @ts-check
// The frame: the rail, the page that the address names, what is lost and found of the connection.

import { Unreachable, onLockedOut, request } from "./core/api.js";
import { byId, element, fill, say } from "./core/dom.js";
import { help, listenToKeys } from "./core/keys.js";
import { keep } from "./core/kept.js";
import { live } from "./core/live.js";
import { login } from "./core/login.js";
import { momentOf } from "./core/moment.js";
import { Page } from "./core/page.js";
import { here, to } from "./core/router.js";
import { LANGUAGES, speak, t } from "./core/texts.js";
import { dark, dress, wear } from "./core/theme.js";
import { keepAside } from "./parts/receipt_place.js";
import { momentNote } from "./parts/past.js";
import { complain, giveReceipts } from "./parts/receipts.js";
import { followNames } from "./parts/session_head.js";
import { empty, failure } from "./parts/states.js";
import { NotLoaded, family, find } from "./routes.js";

/** @type {Page | null} */
let page = null;
let shown = "";
let turns = 0;
const RAIL = ["live", "sessions", "audit", "content", "memory", "mcp", "usage", "models", "system"];

function drawRail() {
  const links = RAIL.map((name) => element("li", {},
    element("a", { href: to(name === "live" ? [] : [name]), "data-name": name }, t(`rail.${name}`))));
  const themed = element("button", { type: "button", class: "small", id: "theme", click: () => { wear(dark() ? "light" : "dark"); drawRail(); } },
    dark() ? t("theme.light") : t("theme.dark"));
  const language = element("select", { "aria-label": t("language"), class: "fine", change: () => void change(language.value) },
    Object.entries(LANGUAGES).map(([key, name]) => element("option", { value: key, selected: key === document.documentElement.lang }, name)));
  fill(byId("rail"), element("a", { class: "brand", href: "#/" }, "Chronoproxy"), element("ul", {}, links),
    element("div", { class: "rail-foot" }, element("span", { class: "mark fine", id: "connection" }),
      element("div", { class: "row" }, themed, element("button", { type: "button", class: "small", "aria-label": t("keys.title"), click: help }, "?")), language));
  markRail();
  showConnection(live.state);
}

/** @param {string} language */
async function change(language) {
  keep("language", language);
  await speak().catch(() => complain(new Unreachable(language))); // its texts did not come
  drawRail();
  shown = "";
  await turn();
}

function markRail() {
  const current = family(here().path);
  for (const link of byId("rail").querySelectorAll("a[data-name]")) {
    if (/** @type {HTMLElement} */ (link).dataset.name === current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** @param {import("./core/live.js").LiveState} state */
function showConnection(state) {
  const mark = document.getElementById("connection");
  if (mark) {
    say(mark, t(`connection.${state}`));
    mark.className = `mark fine ${state === "live" ? "ok" : state === "offline" ? "bad" : ""}`;
  }
  byId("offline").hidden = state !== "offline";
  say(byId("offline"), state === "offline" ? t("connection.lost") : "");
  document.body.dataset.connection = state;
}

/** Go where the address says. */
async function turn() {
  const place = here();
  const path = place.path.join("/");
  const mineToGo = ++turns;
  if (page && path === shown && page.turned) {
    const same = page;
    const moment = await momentOf(place.query, same.signal).catch(() => null); // the connection tells
    if (!moment || mineToGo !== turns || same.left) return;
    same.place = place;
    same.moment = moment;
    same.turned?.(place.query);
    return;
  }
  page?.leave();
  shown = path;
  document.body.classList.remove("has-scrubber");
  const root = element("div", { class: "page" });
  const mine = new Page(root, place);
  page = mine;
  delete document.body.dataset.ready;
  markRail();
  fill(byId("main"), root);
  scrollTo(0, 0);
  try {
    const route = find(place.path);
    if (!route) fill(root, element("h1", {}, t("state.nowhere")), empty(t("state.nowhere"), element("a", { href: "#/" }, t("rail.live"))));
    else {
      document.title = `${t(`rail.${family(place.path)}`)} · Chronoproxy`;
      const [found, moment] = await Promise.all([route.load(), momentOf(place.query, mine.signal)]);
      if (mine.left) return;
      await begun(mine, found, moment, route.parts);
    }
  } catch (error) {
    if (!mine.left) failed(mine, error);
  }
  if (mine.left) return;
  document.body.dataset.ready = path || "live";
  performance.mark("ready");
}

/** Why there is no page; one that could not be had comes by itself once the proxy answers again. @param {Page} mine @param {any} error */
function failed(mine, error) {
  const again = async () => {
    if (error instanceof NotLoaded) {
      const answers = await request("/health").then(() => true, () => false);
      if (answers && !mine.left) location.reload();
      return;
    }
    shown = "";
    void turn();
  };
  fill(mine.root, element("h1", {}, t(`rail.${family(mine.place.path)}`)), failure(error, () => void again()));
  if (!(error instanceof Unreachable)) return;
  let lost = live.state === "offline";
  mine.whenLeft(live.watch((state) => {
    if (state === "live" && lost) void again();
    lost ||= state === "offline";
  }));
}

/**
 * How a page goes with `?at=` is what its module says: `past` is "read" where all of it is read as of then, "own" where it
 * says itself what it shows, "same" where the moment makes no difference. The others show the present, and say so.
 * @param {Page} mine @param {any} found @param {import("./core/moment.js").Asked} moment @param {string[]} parts
 */
async function begun(mine, found, moment, parts) {
  const reads = found.past === "read";
  if (reads || found.past === "own") mine.moment = moment;
  mine.past = reads && moment.position !== null;
  const said = reads || !found.past ? momentNote(moment, reads) : null;
  if (said) byId("main").prepend(element("div", { class: "page moment" }, said));
  await found.show(mine, ...parts);
}

async function begin() {
  await speak();
  dress();
  giveReceipts();
  keepAside(byId("receipts"));
  followNames();
  drawRail();
  listenToKeys(byId("main"));
  say(byId("skip"), t("skip"));
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault();
    byId("main").focus();
  });
  live.watch(showConnection);
  onLockedOut(() => login(() => { live.connect(); shown = ""; void turn(); }));
  live.connect();
  addEventListener("hashchange", () => void turn());
  await turn();
}

void begin();
