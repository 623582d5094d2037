// @ts-check
// The routes of /openapi.json as a table.

import { Refused, get } from "./core/api.js";
import { byId, fill } from "./core/dom.js";
import { note } from "./parts/states.js";
import { table } from "./parts/table.js";

/** @param {any} operation */
function parameters(operation) {
  const names = (operation.parameters ?? []).map((/** @type {any} */ parameter) => parameter.name);
  const body = operation.requestBody?.content?.["application/json"]?.schema?.properties ?? {};
  return [...names, ...Object.keys(body)].join(", ");
}

const COLUMNS = [
  { label: "Method", className: "mono", show: (/** @type {any} */ row) => row.method.toUpperCase() },
  { label: "Path", className: "mono", show: (/** @type {any} */ row) => row.path },
  { label: "Does", show: (/** @type {any} */ row) => row.operation.description ?? "" },
  { label: "Takes", className: "wide", show: (/** @type {any} */ row) => parameters(row.operation) },
];

try {
  const { paths } = await get("/openapi.json");
  const rows = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })));
  fill(byId("routes"), table({ caption: "Routes", columns: COLUMNS, rows }));
} catch (error) {
  const locked = error instanceof Refused && error.status === 401;
  fill(byId("routes"), note("bad", locked ? "Give the proxy's token on the first page, in this tab." : String(error)));
}
