// @ts-check
// The status page: what the proxy is, how to use it, what went through it last. It polls /health and reads the lists
// again only when the log has grown.

import { Unauthorized, get, remember, token } from "./api.js";
import { element, fill, foreign, table } from "./dom.js";

const EVERY_MS = 2000;
const OUTCOMES = { completed: "ok", running: "", cancelled: "warn", interrupted: "warn", failed: "bad" };

let shown = -1;

const number = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });

/** @param {string} iso */
const time = (iso) => element("time", { datetime: iso }, clock.format(new Date(iso)));

/** @param {any} row */
function tokens(row) {
  const { source, prompt_tokens: prompt, completion_tokens: completion } = row.usage;
  if (row.outcome === "running") return `about ${number.format(row.sent.tokens)}`;
  if (source === "none") return "none";
  return `${source === "estimated" ? "about " : ""}${number.format(prompt)} + ${number.format(completion)}`;
}

/** The provider beside the model, unless the model's name says it. @param {any} row */
function model(row) {
  const { provider, model_sent: name } = row;
  return foreign(name.startsWith(`${provider}/`) ? name : `${provider}/${name}`);
}

/** @param {any} row */
function outcome(row) {
  const word = row.error ? `${row.outcome}: ${row.error.code}` : row.outcome;
  return element("span", { class: `mark ${OUTCOMES[row.outcome] ?? ""}` }, word);
}

/** @param {any} row */
function duration(row) {
  const ms = row.timings.duration_ms;
  if (ms === null) return "";
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

const EXCHANGES = [
  { label: "Started", className: "time", show: (/** @type {any} */ row) => time(row.started_at) },
  { label: "Session", className: "number", show: (/** @type {any} */ row) => String(row.session_id) },
  { label: "Model", className: "text", show: model },
  { label: "Tokens in + out", className: "number", show: tokens },
  { label: "Time", className: "number", show: duration },
  { label: "Outcome", show: outcome },
];

const SESSIONS = [
  { label: "Id", className: "number", show: (/** @type {any} */ row) => String(row.id) },
  { label: "Name", className: "text", show: (/** @type {any} */ row) => foreign(row.name) },
  { label: "Model", className: "text", show: (/** @type {any} */ row) => foreign(row.model ?? row.provider) },
  { label: "Client", className: "text", show: (/** @type {any} */ row) => foreign(row.client_family ?? "") },
  { label: "Started", className: "time", show: (/** @type {any} */ row) => time(row.created_at) },
  { label: "State", show: (/** @type {any} */ row) =>
    row.is_active ? element("span", { class: "mark ok" }, "active") : "" },
];

/** @param {string} id @param {string} caption @param {any} columns @param {any[]} rows @param {string} nothing */
function list(id, caption, columns, rows, nothing) {
  fill(id, rows.length ? table(caption, columns, rows) : element("p", { class: "empty" }, nothing));
}

/** @param {string} word @param {string} kind */
function status(word, kind) {
  const node = document.getElementById("status");
  if (!node || node.textContent === word) return;
  node.textContent = word;
  node.className = `mark ${kind}`;
}

/** @param {any} health */
function facts(health) {
  const { current_rpm: rpm, max_rpm: most } = health.rate_limit;
  const entries = [
    ["version", health.version],
    ["events", number.format(health.position)],
    ["requests per minute", most ? `${rpm} of ${most}` : String(rpm)],
  ];
  fill("facts", ...entries.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

/** @param {any[]} models */
function howTo(models) {
  const model = models[0]?.id ?? "MODEL";
  const key = token() ? "the token, or a client key" : "any";
  fill("snippet",
    `export OPENAI_BASE_URL=${location.origin}/v1\n`
    + `export OPENAI_API_KEY=... # ${key}\n\n`
    + `curl ${location.origin}/v1/chat/completions -H 'Content-Type: application/json' \\\n`
    + (token() ? "  -H \"Authorization: Bearer $OPENAI_API_KEY\" \\\n" : "")
    + `  -d '${JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }] })}'\n`);
  const names = models.flatMap(({ id }, index) => [index ? ", " : "", element("code", {}, foreign(id))]);
  fill("models", ...(names.length ? names : ["none are configured"]));
}

async function refresh() {
  const health = await get("/health");
  facts(health);
  status(health.status === "ok" ? "running" : "degraded, see /health/ready", health.status === "ok" ? "ok" : "warn");
  if (health.position === shown) return;
  const [exchanges, sessions, models] = await Promise.all([
    get("/api/exchanges?limit=20", health.position),
    get("/api/sessions?limit=20", health.position),
    get("/v1/models"),
  ]);
  howTo(models.data);
  list("exchange-rows", "Last exchanges", EXCHANGES, exchanges.exchanges, "Nothing has gone through yet.");
  list("session-rows", "Sessions", SESSIONS, sessions, "No session yet: the first request starts one.");
  shown = health.position;
  document.body.dataset.ready = String(shown);
}

/** Show the form instead of the lists, or the lists again. @param {boolean} wanted */
function askForToken(wanted) {
  for (const section of document.querySelectorAll("main > section")) section.toggleAttribute("hidden", wanted);
  const form = document.getElementById("login");
  if (form) form.hidden = !wanted;
}

async function tick() {
  if (document.hidden) return;
  try {
    await refresh();
    askForToken(false);
  } catch (error) {
    if (error instanceof Unauthorized) {
      askForToken(true);
      if (token()) fill("login-error", "This is not the token.");
    } else {
      status("not reachable", "bad");
      shown = -1;
    }
  }
}

async function follow() {
  await tick();
  setTimeout(follow, EVERY_MS);
}

document.getElementById("login")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const field = document.getElementById("token");
  if (field instanceof HTMLInputElement) remember(field.value);
  void tick();
});
document.addEventListener("visibilitychange", () => void tick());
void follow();
