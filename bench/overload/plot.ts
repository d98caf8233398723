// Draws the results of a run: `node overload/plot.ts results.json ../docs/pictures/overload.svg`
import { readFileSync, writeFileSync } from "node:fs";

import { parse, View } from "vega";
import { compile } from "vega-lite";

import type { Row } from "./main.ts";

const [from, to] = process.argv.slice(2) as [string, string];
const rows = JSON.parse(readFileSync(from, "utf8")) as Row[];

const { spec } = compile({
  background: "white",
  width: 480,
  height: 300,
  padding: 12,
  title: "Clients answered within 500 ms, of what the services can answer",
  data: { values: rows.map((row) => ({ ...row, variant: row.variant.replace(/^ours/, "Throughline") })) },
  mark: { type: "line", point: true },
  encoding: {
    x: {
      field: "load",
      type: "quantitative",
      title: "load, of the capacity",
      axis: { format: "~r", values: [0.5, 1, 1.5, 2, 3] },
    },
    y: { field: "goodput", type: "quantitative", title: "goodput", axis: { format: "%" }, scale: { domain: [0, 1.1] } },
    color: {
      field: "variant",
      type: "nominal",
      title: null,
      sort: null,
      legend: { orient: "bottom", columns: 1, labelLimit: 480 },
    },
  },
});
writeFileSync(to, await new View(parse(spec), { renderer: "none" }).toSVG());
