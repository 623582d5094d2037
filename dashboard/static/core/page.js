// @ts-check
// What a page gets: its place, its root, and everything that must end when the reader leaves.

import { fill } from "./dom.js";
import { age } from "./formats.js";
import { live } from "./live.js";
import { PRESENT } from "./moment.js";
import { failure, loading } from "../parts/states.js";

const AGE_MS = 5000;

/** @typedef {import("./router.js").Place} Place */

export class Page {
  /** @param {HTMLElement} root @param {Place} place */
  constructor(root, place) {
    this.root = root;
    this.place = place;
    this.aborter = new AbortController();
    /** @type {(() => void)[]} */
    this.ends = [];
    /** Set by pages that can follow a change of the query. @type {((query: URLSearchParams) => void) | null} */
    this.turned = null;
    /** The moment that the address asks for. @type {import("./moment.js").Asked} */
    this.moment = PRESENT;
    /** Whether all of the page is as it was then: nothing of it changes or can be changed. */
    this.past = false;
    this.ages = setInterval(() => { if (!document.hidden) age(root); }, AGE_MS);
  }

  /** The event that is read as of; null for the present. */
  get at() { return this.moment.position; }

  get query() { return this.place.query; }
  get signal() { return this.aborter.signal; }
  get left() { return this.aborter.signal.aborted; }

  /** @param {() => void} end */
  whenLeft(end) {
    this.ends.push(end);
  }

  /** @param {(message: any) => void} listener */
  follow(listener) {
    if (!this.past) this.whenLeft(live.subscribe(listener));
  }

  leave() {
    this.aborter.abort();
    clearInterval(this.ages);
    for (const end of this.ends.splice(0)) end();
  }

  /**
   * Show what `work` makes, and until then that it is being made; what goes wrong is shown with a way to try again.
   * @param {HTMLElement} holder @param {() => Promise<any>} work
   */
  async into(holder, work) {
    const waiting = setTimeout(() => { if (!holder.childElementCount) fill(holder, loading()); }, 200);
    holder.setAttribute("aria-busy", "true");
    try {
      const made = await work();
      if (!this.left && made !== undefined) fill(holder, made);
    } catch (error) {
      if (!this.left) fill(holder, failure(error, () => void this.into(holder, work)));
    } finally {
      clearTimeout(waiting);
      holder.removeAttribute("aria-busy");
    }
  }
}
