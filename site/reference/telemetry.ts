import ts from "typescript";

import { commentOf, GENERATED, table } from "./program.ts";

/** Every metric and attribute that the packages record, found where they are made. */
export function telemetryPage(program: ts.Program): string {
  const files = program
    .getSourceFiles()
    .filter(({ fileName }) => /\/packages\/(?!viewer|testing|cli)[^/]+\/src\//.test(fileName))
    .toSorted((a, b) => a.fileName.localeCompare(b.fileName));
  const literals = files.flatMap(attributeLiterals);
  if (literals.length > 0) {
    throw new Error(`Cannot list the attributes: each must be a constant ATTR_...; received ${literals.join(", ")}`);
  }
  const names = files.flatMap(constants);
  const values = new Map(names.map(({ constant, value }) => [constant, value]));
  const metrics = files.flatMap((file) => instruments(file, values));
  const events = names.filter(({ constant }) => constant.startsWith("EVENT_"));
  const attributes = names.filter(({ constant, value }) => /^ATTR[_.]/.test(constant) || isDeadlineName(value));
  const rows = new Map<string, string>();
  // The packages above `http` repeat some of its constants; its docstrings count.
  for (const { value, doc } of attributes.toSorted((a, b) => Number(isRepeated(a)) - Number(isRepeated(b)))) {
    rows.set(value, rows.get(value) ?? doc);
  }
  const sorted = [...rows].toSorted(([a], [b]) => a.localeCompare(b));
  const list = (own: boolean): string =>
    table(
      ["Attribute", "Meaning"],
      sorted.filter(([name]) => isOwn(name) === own).map(([name, doc]) => [`\`${name}\``, doc]),
    );
  return [
    `# Attributes and metrics\n\n${GENERATED}\n`,
    "## Attributes of this library\n",
    "OpenTelemetry has no attributes for deadlines and cancellation.\n",
    list(true),
    "## Attributes of OpenTelemetry\n",
    list(false),
    "## Events of spans\n",
    table(
      ["Event", "Meaning"],
      events.map(({ value, doc }) => [`\`${value}\``, doc]),
    ),
    "## Metrics\n",
    table(["Metric", "Kind", "Unit", "Meaning"], metrics),
  ].join("\n");
}

function isOwn(name: string): boolean {
  return /^throughline\.[a-z_.]+$/.test(name);
}

function isRepeated({ doc }: Constant): boolean {
  return doc === "" || doc.startsWith("As in ");
}

interface Constant {
  readonly constant: string;
  readonly value: string;
  readonly doc: string;
}

/** Constants for names: `const ATTR_X = "..."`, `const METRIC_X = "..."`, and the properties of `const ATTR`. */
function constants(file: ts.SourceFile): Constant[] {
  return file.statements.filter(ts.isVariableStatement).flatMap((statement) => {
    const { name, initializer } = statement.declarationList.declarations[0]!;
    const value = initializer !== undefined && ts.isAsExpression(initializer) ? initializer.expression : initializer;
    const constant = name.getText(file);
    if (value !== undefined && ts.isStringLiteral(value) && isName(constant, value.text)) {
      return [{ constant, value: value.text, doc: commentOf(statement) }];
    }
    if (constant === "ATTR_HTTP_REQUEST_HEADER") {
      return [{ constant, value: "http.request.header.<name>", doc: commentOf(statement) }];
    }
    if (constant !== "ATTR" || value === undefined || !ts.isObjectLiteralExpression(value)) return [];
    return value.properties.filter(ts.isPropertyAssignment).map((property) => ({
      constant: `ATTR.${property.name.getText(file)}`,
      value: (property.initializer as ts.StringLiteral).text,
      doc: commentOf(property),
    }));
  });
}

function isName(constant: string, value: string): boolean {
  return /^(ATTR|METRIC|EVENT)_/.test(constant) || isDeadlineName(value);
}

function isDeadlineName(value: string): boolean {
  return /^throughline\.(deadline\.|ended_by)/.test(value);
}

/** Names of attributes that are written where they are used, and so have no docstring. */
function attributeLiterals(file: ts.SourceFile): string[] {
  const found: string[] = [];
  function visit(node: ts.Node): void {
    ts.forEachChild(node, visit);
    if (!ts.isPropertyAssignment(node) || !ts.isStringLiteral(node.name)) return;
    if (/^(throughline|messaging|db|http|url|rpc|server|network)\.[a-z_.]+$/.test(node.name.text)) {
      found.push(`${node.name.text} in ${file.fileName.replace(/^.*\/packages\//, "packages/")}`);
    }
  }
  visit(file);
  return found;
}

/** Calls of `meter.createCounter(name, { description, unit })` and `seconds(meter, name, description)`. */
function instruments(file: ts.SourceFile, values: ReadonlyMap<string, string>): string[][] {
  const found: string[][] = [];
  const text = (node: ts.Expression | undefined): string | undefined =>
    node === undefined
      ? undefined
      : ts.isStringLiteral(node)
        ? node.text
        : ts.isIdentifier(node)
          ? values.get(node.text)
          : undefined;
  function visit(node: ts.Node): void {
    ts.forEachChild(node, visit);
    if (!ts.isCallExpression(node)) return;
    const called = node.expression.getText(file);
    if (called === "seconds") {
      const name = text(node.arguments[1]);
      if (name !== undefined) found.push([`\`${name}\``, "histogram", "s", text(node.arguments[2]) ?? ""]);
      return;
    }
    const kind = /\.create(Counter|Histogram|UpDownCounter|Gauge|Observable\w+)$/.exec(called)?.[1];
    const name = text(node.arguments[0]);
    if (kind === undefined || name === undefined) return;
    const options = node.arguments[1];
    const option = (key: string): string => {
      if (options === undefined || !ts.isObjectLiteralExpression(options)) return "";
      const property = options.properties
        .filter(ts.isPropertyAssignment)
        .find((each) => each.name.getText(file) === key);
      return text(property?.initializer) ?? "";
    };
    found.push([`\`${name}\``, kind.toLowerCase(), option("unit"), option("description")]);
  }
  visit(file);
  return found;
}
