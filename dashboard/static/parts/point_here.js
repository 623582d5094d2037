// @ts-check
// How a client is pointed at this proxy.

import { get, token } from "../core/api.js";
import { element } from "../core/dom.js";
import { t } from "../core/texts.js";
import { copy } from "./links.js";
import { named } from "./messages.js";

/** @param {AbortSignal} signal */
export async function pointHere(signal) {
  const models = (await get("/v1/models", { signal }).catch(() => ({ data: [] }))).data;
  const model = models[0]?.id ?? "MODEL";
  const text = `export OPENAI_BASE_URL=${location.origin}/v1\nexport OPENAI_API_KEY=${token() ? "..." : "any"}\n\n`
    + `curl ${location.origin}/v1/chat/completions -H 'Content-Type: application/json' \\\n`
    + (token() ? '  -H "Authorization: Bearer $OPENAI_API_KEY" \\\n' : "")
    + `  -d '${JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }] })}'`;
  return element("section", { class: "card", "aria-labelledby": "point-here" },
    element("header", {}, element("h2", { id: "point-here" }, t("live.point")),
      element("div", { class: "tools" }, element("button", { type: "button", class: "link", click: () => void copy(text) }, t("action.copy")))),
    element("p", {}, t("live.point-more")), element("pre", { tabindex: 0, "aria-label": t("live.point") }, text),
    element("p", { class: "muted small" }, t("live.models"), " ",
      models.flatMap((/** @type {any} */ each, /** @type {number} */ index) => [index ? ", " : "", element("code", {}, named(each.id))])));
}
