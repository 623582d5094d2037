// @ts-check
// How fast a context fills, from its last requests. Pure.

const RECENT = 20;

/**
 * The mean growth of the last requests that made it grow, and how many such requests fit into what is free.
 * @param {{estimated_tokens: number}[]} metrics newest first @param {number} free tokens
 * @returns {{perRequest: number | null, requests: number | null}}
 */
export function forecast(metrics, free) {
  /** @type {number[]} */
  const growth = [];
  for (let index = 0; index + 1 < Math.min(metrics.length, RECENT); index++) {
    const step = metrics[index].estimated_tokens - metrics[index + 1].estimated_tokens;
    if (step > 0) growth.push(step);
  }
  if (!growth.length) return { perRequest: null, requests: null };
  const perRequest = growth.reduce((sum, step) => sum + step, 0) / growth.length;
  return { perRequest, requests: perRequest >= 1 ? Math.max(0, Math.floor(free / perRequest)) : null };
}
