// @ts-check
// The strip under the slider: how fast events came, and a tick for each compaction.

import { colour } from "../core/theme.js";
import { sharp } from "../chart/paint.js";

/** @param {HTMLCanvasElement} canvas @param {import("./timeline.js").Timeline} timeline @param {number | null} at */
export function paintStrip(canvas, timeline, at) {
  const size = { width: canvas.clientWidth, height: canvas.clientHeight };
  const count = timeline.length;
  if (!size.width || !count) return;
  const context = sharp(canvas, size);
  const base = size.height - 8;
  const rates = density(timeline.times, Math.max(1, Math.min(count, Math.floor(size.width / 3))));
  const most = Math.max(...rates, 1e-9);
  const width = size.width / rates.length;
  const here = at === null ? Infinity : (at / Math.max(count - 1, 1)) * size.width;
  rates.forEach((rate, index) => {
    const tall = Math.max(1, (rate / most) * base);
    context.globalAlpha = index * width > here ? 0.35 : 0.9;
    context.fillStyle = colour("--edge");
    context.fillRect(index * width, base - tall, Math.max(width - 1, 1), tall);
  });
  context.globalAlpha = 1;
  context.fillStyle = colour("--series-2");
  for (const mark of timeline.marks ?? []) {
    context.fillRect((mark / Math.max(count - 1, 1)) * size.width - 1, base + 1, 2, 7);
  }
}

/** Events per second, compressed by a logarithm, for each of `bins` stretches of events. @param {number[]} times @param {number} bins */
function density(times, bins) {
  const rates = [];
  for (let bin = 0; bin < bins; bin++) {
    const from = Math.floor((bin * times.length) / bins);
    const to = Math.max(from + 1, Math.floor(((bin + 1) * times.length) / bins));
    const seconds = (times[Math.min(to, times.length - 1)] - times[from]) / 1000;
    rates.push(Math.log1p((to - from) / Math.max(seconds, 0.02)));
  }
  return rates;
}
