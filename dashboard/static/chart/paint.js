// @ts-check
// The strokes of a chart.

import { colour } from "../core/theme.js";
import { BOTTOM, LEFT, RIGHT, TOP, decimated, timeLabels } from "./scale.js";

/** @typedef {CanvasRenderingContext2D} Context */
/** @typedef {{width: number, height: number}} Size */

/** A canvas as sharp as the screen. @param {HTMLCanvasElement} canvas @param {Size} size @returns {Context} */
export function sharp(canvas, { width, height }) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  const context = /** @type {Context} */ (canvas.getContext("2d"));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = "11px system-ui, sans-serif";
  return context;
}

/** Lines across, and their values at a side. @param {Context} context @param {Size} size @param {number[]} values @param {(value: number) => string} format @param {boolean} right */
export function axis(context, size, values, format, right) {
  const most = values[values.length - 1];
  context.textBaseline = "middle";
  context.textAlign = right ? "left" : "right";
  for (const value of values) {
    const y = Math.round(yOf(value, most, size)) + 0.5;
    if (!right) rule(context, LEFT, y, size.width - RIGHT, y, colour("--line"));
    context.fillStyle = colour("--muted");
    context.fillText(format(value), right ? size.width - RIGHT + 8 : LEFT - 8, y);
  }
}

/** Times below. @param {Context} context @param {Size} size @param {number[]} places @param {number[]} times @param {(time: number) => string} format @param {boolean} byTime */
export function timeAxis(context, size, places, times, format, byTime) {
  const inner = size.width - LEFT - RIGHT;
  context.textBaseline = "top";
  context.fillStyle = colour("--muted");
  let said = "";
  let end = -Infinity;
  for (const { place, time } of timeLabels(places, times, Math.max(2, Math.floor(inner / 110)), byTime)) {
    const text = format(time);
    const width = context.measureText(text).width;
    const x = LEFT + place * inner;
    context.textAlign = place === 0 ? "left" : place === 1 ? "right" : "center";
    const start = place === 0 ? x : place === 1 ? x - width : x - width / 2;
    if (text === said || start < end + 8) continue;
    said = text;
    end = start + width;
    context.fillText(text, x, size.height - BOTTOM + 7);
  }
}

/** @param {number} value @param {number} most @param {Size} size */
export const yOf = (value, most, size) => TOP + (1 - Math.max(value, 0) / (most || 1)) * (size.height - TOP - BOTTOM);

/** @param {Context} context @param {Size} size @param {number[]} xs @param {(number | null)[]} values @param {number} most @param {{tone: string, step?: boolean, fill?: boolean}} how */
export function line(context, size, xs, values, most, { tone, step, fill }) {
  const points = decimated(xs, values);
  if (!points.length) return;
  context.beginPath();
  points.forEach(({ x, value }, index) => {
    const y = yOf(value, most, size);
    if (index === 0) context.moveTo(x, y);
    else {
      if (step) context.lineTo(x, yOf(points[index - 1].value, most, size));
      context.lineTo(x, y);
    }
  });
  context.strokeStyle = colour(tone);
  context.lineWidth = 1.5;
  context.lineJoin = "round";
  context.stroke();
  if (!fill) return;
  context.lineTo(points[points.length - 1].x, size.height - BOTTOM);
  context.lineTo(points[0].x, size.height - BOTTOM);
  context.globalAlpha = 0.1;
  context.fillStyle = colour(tone);
  context.fill();
  context.globalAlpha = 1;
}

/** @param {Context} context @param {number} x1 @param {number} y1 @param {number} x2 @param {number} y2 @param {string} style @param {number[]} [dash] @param {number} [width] */
export function rule(context, x1, y1, x2, y2, style, dash = [], width = 1) {
  context.beginPath();
  context.setLineDash(dash);
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.strokeStyle = style;
  context.lineWidth = width;
  context.stroke();
  context.setLineDash([]);
}
