import { join } from "node:path";

import ts from "typescript";

import * as dialects from "../../packages/http/src/wire/dialects.ts";
import { ROOT } from "../pages.ts";
import { commentOf, GENERATED, table } from "./program.ts";

/** Files with `const ..._HEADER`, in which headers of this library are named. */
const FILES = ["http/src/wire/outcome-header.ts", "http/src/wire/criticality.ts", "http/src/wire/dialects.ts"];

export function headersPage(program: ts.Program): string {
  const docs = new Map<string, string>();
  const own: [name: string, doc: string][] = [];
  for (const file of FILES) {
    for (const statement of program.getSourceFile(join(ROOT, "packages", file))!.statements) {
      if (!ts.isVariableStatement(statement)) continue;
      const { name, initializer } = statement.declarationList.declarations[0]!;
      docs.set(name.getText(), commentOf(statement));
      if (!name.getText().endsWith("_HEADER") || initializer === undefined || !ts.isStringLiteral(initializer))
        continue;
      own.push([`\`${initializer.text}\``, commentOf(statement)]);
    }
  }
  const isDefault = (dialect: dialects.DeadlineDialect): string =>
    dialects.defaultDialects.includes(dialect) ? "by default" : "with `deadlineHeaders`";
  const deadlines = [...docs].flatMap(([name, doc]) => {
    const dialect = (dialects as Record<string, unknown>)[name];
    if (!dialects.isDialect(dialect)) return [];
    const { header, grammar } = dialect;
    return [[`\`${header}\``, `\`${name}\``, isDefault(dialect), grammar, `\`${dialect.format(1480)}\``, doc]];
  });
  return [
    `# Headers\n\n${GENERATED}\n`,
    "## Deadlines\n",
    "The time that is left, and not a point of time. Of several headers the smallest value counts.\n",
    table(["Header", "Dialect", "A server reads it", "Format", "1480 ms", "Origin"], deadlines),
    "## Headers of this library\n",
    table(["Header", "Meaning"], own),
    "## Headers of standards\n",
    "`traceparent` and `tracestate` (W3C Trace Context), `baggage` (W3C Baggage), `retry-after` and `www-authenticate`",
    "(RFC 9110). The [README of `http`](../../packages/http/README.md#headers) says who sends and reads them.\n",
  ].join("\n");
}
