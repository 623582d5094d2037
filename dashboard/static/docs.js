// @ts-check
// The routes of /openapi.json as a table.

import { Unauthorized, get } from "./api.js";
import { element, fill, table } from "./dom.js";

/** @param {any} operation */
function parameters(operation) {
  const names = (operation.parameters ?? []).map((/** @type {any} */ parameter) => parameter.name);
  const body = operation.requestBody?.content?.["application/json"]?.schema?.properties ?? {};
  return [...names, ...Object.keys(body)].join(", ");
}

const COLUMNS = [
  { label: "Method", className: "mono", show: (/** @type {any} */ row) => row.method.toUpperCase() },
  { label: "Path", className: "mono text", show: (/** @type {any} */ row) => row.path },
  { label: "Does", className: "text", show: (/** @type {any} */ row) => row.operation.description ?? "" },
  { label: "Takes", className: "text", show: (/** @type {any} */ row) => parameters(row.operation) },
];

try {
  const { paths } = await get("/openapi.json");
  const rows = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })));
  fill("routes", table("Routes", COLUMNS, rows));
} catch (error) {
  const text = error instanceof Unauthorized ? "Give the proxy's token on the first page, in this tab." : String(error);
  fill("routes", element("p", { class: "problem" }, text));
}
