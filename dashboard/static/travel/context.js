// @ts-check
// The messages of the context at a moment, as the client sent them or as they went upstream.

import { Refused, address, get, send } from "../core/api.js";
import { element, fill } from "../core/dom.js";
import { number } from "../core/formats.js";
import { t } from "../core/texts.js";
import { fileLink } from "../parts/links.js";
import { messageView } from "../parts/messages.js";
import { pager } from "../parts/pager.js";
import { doing } from "../parts/receipts.js";
import { empty } from "../parts/states.js";

const SIZE = 20;

export class ContextPanel {
  /** @param {import("../core/page.js").Page} page @param {string} session */
  constructor(page, session) {
    this.page = page;
    this.session = session;
    this.view = "sent";
    this.offset = -1; // the end
    /** @type {number | null} */
    this.at = null;
    this.holder = element("div", {});
    this.tools = element("div", { class: "tools" });
    this.box = element("details", { toggle: () => { if (this.box.open) void this.load(); } },
      element("summary", {}, t("context.title")), element("div", { class: "stack" }, this.tools, this.holder));
    this.node = element("section", { class: "card", "aria-label": t("context.title") }, this.box);
  }

  /** @param {number | null} at */
  move(at) {
    this.at = at;
    this.offset = -1;
    if (this.box.open) void this.load();
  }

  #draw() {
    const choose = (/** @type {string} */ view) => element("button", { type: "button", "aria-pressed": String(this.view === view),
      click: () => { this.view = view; this.offset = -1; void this.load(); } }, t(`context.${view}`));
    fill(this.tools, element("div", { class: "row" }, element("div", { class: "segments" }, choose("sent"), choose("received")),
      fileLink("JSON", address(`/api/sessions/${this.session}/messages`, { view: this.view, at: this.at, content: "full", limit: 1000 }), "messages.json")));
  }

  async load() {
    this.#draw();
    const at = this.at;
    const path = `/api/sessions/${this.session}/messages`;
    await this.page.into(this.holder, async () => {
      const query = { view: this.view, at, limit: SIZE };
      try {
        let found = await get(address(path, { ...query, offset: Math.max(this.offset, 0) }), { signal: this.page.signal });
        if (this.offset < 0) {
          this.offset = Math.max(0, Math.floor((found.total - 1) / SIZE) * SIZE);
          if (this.offset) found = await get(address(path, { ...query, offset: this.offset }), { signal: this.page.signal });
        }
        return at === this.at ? this.#list(found) : undefined;
      } catch (error) {
        if (error instanceof Refused && error.status === 404) return empty(t("context.none"));
        throw error;
      }
    });
  }

  /** @param {any} found */
  #list(found) {
    if (!found.total) return empty(t("context.none"));
    const turn = (/** @type {number} */ offset) => { this.offset = offset; void this.load(); };
    return element("div", { class: "stack" },
      element("p", { class: "muted small" }, t("context.count", { count: found.total, n: number(found.total), tokens: number(found.tokens) })),
      element("div", {}, found.messages.map((/** @type {any} */ message) => messageView(message, { small: true, tools: [this.#pin(message)] }))),
      pager({ total: found.total, offset: this.offset, size: SIZE, turn }));
  }

  /** @param {any} message */
  #pin(message) {
    if (this.at !== null || message.origin === "proxy") return null;
    const path = `/api/sessions/${this.session}/pins`;
    const button = element("button", { type: "button", class: "link", click: async () => {
      if (await doing(button, () => send(message.pinned ? "DELETE" : "POST", path, { refs: [message.ref] }))) void this.load();
    } }, t(message.pinned ? "action.unpin" : "action.pin"));
    return button;
  }
}
