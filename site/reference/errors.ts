import ts from "typescript";

import { problemOf } from "../../packages/http/src/server/problem.ts";
import { docOf, entryPoints, GENERATED, table } from "./program.ts";

/** Every public class of errors, with what it is called in code and in responses. */
export async function errorsPage(program: ts.Program): Promise<string> {
  const checker = program.getTypeChecker();
  const rows = new Map<string, string[]>();
  for (const { name: entry, source } of entryPoints()) {
    if (!/^@throughline\/(context|http|identity|resilience|fetch)$/.test(entry)) continue;
    const module = checker.getSymbolAtLocation(program.getSourceFile(source)!);
    const loaded = (await import(entry)) as Record<string, unknown>;
    for (const exported of checker.getExportsOfModule(module!)) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      const type = loaded[exported.name];
      if (!isErrorClass(type) || rows.has(exported.name)) continue;
      const error = created(type);
      const problem = problemOf(error)?.document.type;
      rows.set(exported.name, [
        `\`${exported.name}\``,
        `\`${entry}\``,
        error === undefined ? "" : `\`${error.name}\``,
        error?.code === undefined ? "" : `\`${error.code}\``,
        String(error?.statusCode ?? ""),
        problem === undefined ? "" : `\`${problem.replace(/^urn:throughline:problem:/, "")}\``,
        docOf(symbol, checker),
      ]);
    }
  }
  const head = ["Class", "Package", "`name`", "`code`", "`statusCode`", "Problem type", "Meaning"];
  return [
    `# Errors\n\n${GENERATED}\n`,
    "Compare by `instanceof`, which also holds for errors of another installed copy of a package, or by `code`. The",
    "problem type is the `type` of the response's body, after `urn:throughline:problem:`.\n",
    table(head, [...rows.values()]),
    "Options of the wrong type throw a `TypeError`, and values out of range a `RangeError`, when something is created.",
    "The message has the form `Cannot <action>: '<option>' must be <wanted>; received <value>`.\n",
  ].join("\n");
}

type ErrorClass = new (...args: string[]) => Error & { readonly code?: string; readonly statusCode?: number };

function isErrorClass(value: unknown): value is ErrorClass {
  return typeof value === "function" && value.prototype instanceof Error;
}

/** An instance, for its properties; `undefined` of an abstract class, or one whose arguments are not texts. */
function created(type: ErrorClass): InstanceType<ErrorClass> | undefined {
  if (type.name === "ContextError") return undefined;
  try {
    return type.length === 0 ? new type() : new type("a", "b", "c");
  } catch {
    return undefined;
  }
}
