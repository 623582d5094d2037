// @ts-check
// A call of an MCP server by hand: choose a tool, fill in its arguments, read what it answers.

import { Refused, post } from "../core/api.js";
import { element, fill } from "../core/dom.js";
import { duration } from "../core/formats.js";
import { t } from "../core/texts.js";
import { messageView } from "./messages.js";
import { complain } from "./receipts.js";
import { note } from "./states.js";

let calls = 0;

/** @param {string} server @param {string} method @param {any} params */
async function rpc(server, method, params) {
  const begun = performance.now();
  const body = { jsonrpc: "2.0", id: ++calls, method, params };
  const path = `/api/mcp-gateway/${encodeURIComponent(server)}/rpc`;
  try {
    return { answer: (await post(path, body)).value, ms: performance.now() - begun };
  } catch (error) {
    if (error instanceof Refused && error.context?.jsonrpc) return { answer: error.context, ms: performance.now() - begun };
    throw error;
  }
}

/** @param {string[]} servers */
export function tryCard(servers) {
  /** @type {any[]} */
  let tools = [];
  const result = element("div", {});
  const about = element("p", { class: "muted small" });
  const tool = element("select", { name: "tool", id: "mcp-tool", change: () => chosen() });
  const args = element("textarea", { name: "arguments", id: "mcp-arguments", spellcheck: "false" });
  const server = element("select", { name: "server", id: "mcp-server", change: () => void load() }, servers.map((name) => element("option", { value: name }, name)));
  const chosen = () => {
    const found = tools.find((each) => each.name === tool.value);
    fill(about, found?.description ?? "");
    args.value = JSON.stringify(sample(found?.inputSchema), null, 2);
  };
  const load = async () => {
    try {
      const { answer } = await rpc(server.value, "tools/list", {});
      tools = answer.result?.tools ?? [];
      fill(tool, tools.map((each) => element("option", { value: each.name }, each.name)));
      fill(result, answer.error ? note("bad", answer.error.message) : "");
      chosen();
    } catch (error) {
      complain(error);
    }
  };
  const form = element("form", { class: "stack", id: "mcp-try", submit: async (/** @type {Event} */ event) => {
    event.preventDefault();
    const button = /** @type {HTMLButtonElement} */ (form.querySelector("button[type=submit]"));
    button.disabled = true;
    try {
      const { answer, ms } = await rpc(server.value, "tools/call", { name: tool.value, arguments: JSON.parse(args.value || "{}") });
      fill(result, answered(answer, ms));
    } catch (error) {
      complain(error);
    } finally {
      button.disabled = false;
    }
  } }, element("div", { class: "row" }, element("label", { class: "field" }, t("mcp.server"), server),
    element("button", { type: "button", id: "mcp-list", click: () => void load() }, t("mcp.list")), element("label", { class: "field" }, t("content.tool"), tool)), about,
  element("label", { class: "field" }, t("mcp.arguments"), args), element("div", {}, element("button", { type: "submit", class: "primary" }, t("mcp.call"))), result);
  return element("section", { class: "card half", "aria-label": t("mcp.try") }, element("header", {}, element("h2", {}, t("mcp.try"))), form);
}

/** What the arguments may look like. @param {any} schema @returns {Record<string, any>} */
function sample(schema) {
  const required = schema?.required ?? [];
  return Object.fromEntries(Object.entries(schema?.properties ?? {}).filter(([name]) => required.includes(name))
    .map(([name, /** @type {any} */ kind]) => [name, blank(/** @type {any} */ (kind))]));
}

/** @param {any} kind */
function blank(kind) {
  if (kind.default !== undefined) return kind.default;
  if (kind.enum) return kind.enum[0];
  return { integer: 0, number: 0, boolean: false, array: [], object: {} }[/** @type {string} */ (kind.type)] ?? "";
}

/** @param {any} answer @param {number} ms */
function answered(answer, ms) {
  const { error, result } = answer;
  const texts = (result?.content ?? []).filter((/** @type {any} */ part) => part.type === "text");
  return element("div", { class: "stack", id: "mcp-result" }, error ? note("bad", error.message) : note(result?.isError ? "warn" : "ok", t("mcp.answered", { time: duration(ms) })),
    element("div", {}, texts.map((/** @type {any} */ part) => messageView({ role: "tool", preview: part.text }, { small: true }))),
    element("details", {}, element("summary", {}, "JSON"), element("pre", { tabindex: 0, "aria-label": "JSON" }, JSON.stringify(answer, null, 2))));
}
