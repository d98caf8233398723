import ts from "typescript";

import { docOf, entryPoints, GENERATED, paragraph, table, tagOf } from "./program.ts";

/** Interfaces of options by their names. All other interfaces are in the API. */
const NAMES = /(Options|Policy|Rules|Limits|Retry)$/;

/** Every option of every public interface of options. */
export function optionsPage(program: ts.Program): string {
  const checker = program.getTypeChecker();
  const seen = new Set<ts.Symbol>();
  const sections: string[] = [];
  for (const { name, source } of entryPoints()) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(source)!);
    const parts: string[] = [];
    for (const exported of checker.getExportsOfModule(module!)) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      const declaration = symbol.declarations?.find(ts.isInterfaceDeclaration);
      if (declaration === undefined || !NAMES.test(symbol.name) || seen.has(symbol)) continue;
      if (!declaration.getSourceFile().fileName.includes("/packages/")) continue;
      seen.add(symbol);
      parts.push(section(exported.name, symbol, declaration, checker));
    }
    if (parts.length > 0) sections.push(`## ${name}\n\n${parts.join("\n")}`);
  }
  const intro =
    "All options of all packages. Options are checked once, when something is created: an unknown or invalid one throws. " +
    'A `Duration` is a number of milliseconds, or a string such as `"250ms"`, `"2s"`, `"1m"`.';
  return `# Options\n\n${GENERATED}\n\n${paragraph(intro)}\n${sections.join("\n")}`;
}

function section(
  name: string,
  symbol: ts.Symbol,
  declaration: ts.InterfaceDeclaration,
  checker: ts.TypeChecker,
): string {
  const rows = declaration.members.flatMap((member) => {
    const property = member.name === undefined ? undefined : checker.getSymbolAtLocation(member.name);
    if (property === undefined) return [];
    const type = ts.isPropertySignature(member) ? member.type?.getText() : "function";
    const isRequired = member.questionToken === undefined;
    return [
      [
        `\`${property.name}\``,
        `\`${(type ?? "").replaceAll(/\s+/g, " ")}\``,
        isRequired ? "required" : (tagOf(property, "default") ?? ""),
        docOf(property, checker),
      ],
    ];
  });
  const bases = (declaration.heritageClauses ?? []).flatMap(({ types }) =>
    types.map((type) => `\`${type.getText()}\``),
  );
  const also = bases.length === 0 ? "" : `It extends ${bases.join(" and ")}.\n\n`;
  const body = rows.length === 0 ? "" : table(["Option", "Type", "Default", "Meaning"], rows);
  const doc = docOf(symbol, checker);
  return `### ${name}\n\n${doc === "" ? "" : `${paragraph(doc)}\n`}${also}${body}`;
}
