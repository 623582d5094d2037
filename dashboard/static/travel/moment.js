// @ts-check
// The event at a moment and the exact figures as of it, read when the slider rests.

import { address, get } from "../core/api.js";
import { element } from "../core/dom.js";
import { t } from "../core/texts.js";
import { eventDetail } from "../parts/event_detail.js";

export class Moment {
  /** @param {import("../core/page.js").Page} page @param {string} session */
  constructor(page, session) {
    this.page = page;
    this.session = session;
    this.asked = 0;
    this.holder = element("div", { class: "fixed-height", role: "group", tabindex: 0, "aria-label": t("travel.moment") });
    this.node = element("section", { class: "card five" },
      element("header", {}, element("h2", {}, t("travel.moment"))), this.holder);
  }

  /** @param {number} position */
  event(position) {
    return this.page.into(this.holder, async () => {
      const asked = ++this.asked;
      const made = await eventDetail(position, this.page.signal);
      return asked === this.asked ? made : undefined;
    });
  }

  /** Null where they cannot be had; the columns' figures stay then. @param {number | null} at */
  async figures(at) {
    const how = { signal: this.page.signal };
    try {
      const [detail, compaction, masks] = await Promise.all([
        get(address(`/api/sessions/${this.session}`, { at, metrics_limit: 0 }), how),
        get(address(`/api/compaction/${this.session}/stats`, { at }), how),
        get(address("/api/mask", { session_id: this.session, limit: 1, at }), how)]);
      return { detail, saved: compaction.compaction.total_tokens_saved, masked: masks.total };
    } catch {
      return null;
    }
  }
}
