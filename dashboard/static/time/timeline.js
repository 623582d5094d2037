// @ts-check
// A session's events as columns in the browser: every step of the slider is answered from here, without the network.

import { address, get } from "../core/api.js";
import { firstAtLeast } from "../chart/scale.js";

const POINTS = 2000;

/** @typedef {{position: number, context_tokens: number, max_context: number, cost_usd?: number | null}} LightState */

export class Timeline {
  /** @param {any} answer of N15 */
  constructor(answer) {
    this.session = answer.session_id;
    this.total = answer.total;
    this.sampled = answer.downsampled;
    this.types = answer.types;
    this.columns = answer.columns;
    this.pending = false; // an event has come whose savings only the server knows
    this.start = new Date(answer.t0).getTime();
    /** @type {number[]} */
    this.times = answer.columns.dt_ms.map((/** @type {number} */ ms) => this.start + ms);
    this.#sums();
  }

  /** @param {number | string} session @param {{signal?: AbortSignal, least?: number}} [how] @param {number} [points] */
  static async load(session, how, points = POINTS) {
    return new Timeline(await get(address(`/api/sessions/${session}/timeline`, { points }), how));
  }

  get length() { return this.columns.position.length; }
  get last() { return this.length - 1; }
  /** @param {number} index @returns {number} */
  position(index) { return this.columns.position[index]; }
  /** @param {number} index @returns {string} */
  type(index) { return this.types[this.columns.type[index]]; }

  /** The last point that is not later than an event. @param {number} position */
  indexOf(position) {
    const after = firstAtLeast(this.columns.position, position);
    return this.columns.position[after] === position ? after : Math.max(after - 1, 0);
  }

  /** Running totals beside the columns; exact where nothing was left out. */
  #sums() {
    const { type, saved, ratio, cost_usd: cost, position } = this.columns;
    const is = (/** @type {RegExp} */ pattern) => this.types.map((/** @type {string} */ name) => pattern.test(name));
    const [prefix, starts] = [is(/^(Compaction|Compression)Performed$/), is(/^ExchangeStarted$/)];
    let [requests, compactions, sum, paid, last] = [0, 0, 0, 0, /** @type {number | null} */ (null)];
    let priced = false;
    /** @type {Record<string, (number | null)[]>} */
    this.sums = { requests: [], compactions: [], saved: [], cost: [], ratio: [] };
    /** @type {number[]} */
    this.marks = [];
    for (let index = 0; index < position.length; index++) {
      if (starts[type[index]]) requests++;
      if (prefix[type[index]]) {
        compactions++;
        this.marks.push(index);
        if (ratio[index] !== null) last = ratio[index];
        sum += saved[index];
      }
      if (cost[index] !== null) {
        priced = true;
        paid = cost[index]; // what the session had cost by then
      }
      this.sums.requests.push(requests);
      this.sums.compactions.push(compactions);
      this.sums.saved.push(sum);
      this.sums.cost.push(priced ? paid : null);
      this.sums.ratio.push(last);
    }
  }

  /** One event more, as the feed tells it. @param {any} event @param {any} state */
  push(event, state) {
    const { columns } = this;
    if (event.position <= (columns.position[this.last] ?? 0)) return false;
    let type = this.types.indexOf(event.type);
    if (type < 0) type = this.types.push(event.type) - 1;
    const time = new Date(event.timestamp).getTime();
    const prior = this.last;
    columns.position.push(event.position);
    columns.dt_ms.push(time - this.start);
    columns.type.push(type);
    columns.used.push(state?.context_tokens ?? columns.used[prior] ?? 0);
    columns.max.push(state?.max_context ?? columns.max[prior] ?? 0);
    columns.reserved.push(columns.reserved[prior] ?? 0);
    columns.saved.push(0);
    columns.ratio.push(null);
    columns.cost_usd.push(state?.cost_usd ?? null);
    this.times.push(time);
    this.total++;
    const { requests, compactions, saved, cost, ratio } = /** @type {any} */ (this.sums);
    requests.push((requests[prior] ?? 0) + (event.type === "ExchangeStarted" ? 1 : 0));
    const compacted = /^(Compaction|Compression)Performed$/.test(event.type);
    compactions.push((compactions[prior] ?? 0) + (compacted ? 1 : 0));
    if (compacted) this.marks?.push(this.last);
    if (/Performed$|Masked$|Reverted$|Reserved$/.test(event.type)) this.pending = true;
    for (const column of [saved, ratio]) column.push(column[prior] ?? null);
    cost.push(state?.cost_usd ?? cost[prior] ?? null);
    return true;
  }
}
