// @ts-check
// From values to pixels, and round values for axes. Pure.

export const LEFT = 56;
export const RIGHT = 56; // the same on every chart, with or without a right axis: cursors align
export const TOP = 10;
export const BOTTOM = 22;

/** Round steps of 1, 2, 2.5 or 5 times a power of ten. @param {number} most @param {number} wanted */
export function ticks(most, wanted) {
  if (!(most > 0)) return [0, 1];
  const raw = most / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= raw * 0.999) ?? raw;
  const count = Math.ceil(most / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, index) => index * step);
}

/** Where each point stands, 0 to 1: one after the other, or as time passed. @param {number[]} times @param {boolean} byTime */
export function places(times, byTime) {
  const last = times.length - 1;
  const span = last > 0 ? times[last] - times[0] : 0;
  if (last <= 0) return times.map(() => 0);
  return byTime && span > 0 ? times.map((time) => (time - times[0]) / span) : times.map((_, index) => index / last);
}

/** The point nearest to a place. @param {number[]} sorted @param {number} place */
export function nearest(sorted, place) {
  const after = firstAtLeast(sorted, place);
  if (after <= 0) return 0;
  if (after >= sorted.length) return sorted.length - 1;
  return place - sorted[after - 1] <= sorted[after] - place ? after - 1 : after;
}

/**
 * Where times stand below a chart: of a time axis at even places, else at points, since between two of them any time may
 * have passed. @param {number[]} places @param {number[]} times @param {number} count @param {boolean} byTime
 * @returns {{place: number, time: number}[]}
 */
export function timeLabels(places, times, count, byTime) {
  const last = times.length - 1;
  const grid = Array.from({ length: count + 1 }, (_, step) => step / count);
  if (byTime && times[last] > times[0]) return grid.map((place) => ({ place, time: times[0] + place * (times[last] - times[0]) }));
  return [...new Set(grid.map((place) => nearest(places, place)))].map((index) => ({ place: places[index], time: times[index] }));
}

/** The index of the first value that is not less; the length where there is none. @param {number[]} sorted @param {number} value */
export function firstAtLeast(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * A line through many points as one through few: of each column of pixels its first, least, most and last.
 * @param {number[]} xs pixels, ascending @param {(number | null)[]} values @returns {{x: number, value: number}[]}
 */
export function decimated(xs, values) {
  /** @type {{x: number, value: number}[]} */
  const kept = [];
  let start = 0;
  while (start < xs.length) {
    const column = Math.floor(xs[start]);
    let end = start;
    while (end < xs.length && Math.floor(xs[end]) === column) end++;
    for (const index of extremes(values, start, end)) kept.push({ x: xs[index], value: /** @type {number} */ (values[index]) });
    start = end;
  }
  return kept;
}

/** @param {(number | null)[]} values @param {number} start @param {number} end */
function extremes(values, start, end) {
  let [first, least, most, last] = [-1, -1, -1, -1];
  for (let index = start; index < end; index++) {
    const value = values[index];
    if (value === null || value === undefined) continue;
    if (first < 0) first = least = most = index;
    if (value < /** @type {number} */ (values[least])) least = index;
    if (value > /** @type {number} */ (values[most])) most = index;
    last = index;
  }
  return first < 0 ? [] : [...new Set([first, least, most, last])].sort((a, b) => a - b);
}
