import type { EditedFile, MigratedFile } from "./edited-file.ts";
import { usesOf } from "./library-uses.ts";
import type { RequestKeys } from "./request-keys.ts";
import { bindInGuard, groupsOf, readSet, readValue, type SetCall } from "./values-in-guard.ts";

/** Rewrites uses of express-http-context. */
export function migrateExpressHttpContext(file: EditedFile, keys: RequestKeys): MigratedFile {
  const { statements, uses } = usesOf(file, "express-http-context");
  const nodes = new Set(uses.map(({ node }) => node));
  const sets: SetCall[] = [];
  for (const { member, node, call } of uses) {
    if (member === "middleware" && call === undefined) {
      file.replace(node.start, node.end, "requestContext()");
      file.need("@throughline/express", "requestContext", node);
    } else if (member === "get" && call !== undefined) readValue(file, keys, call);
    else if (member === "set" && call !== undefined) {
      const set = readSet(file, call);
      if (set !== undefined) sets.push(set);
    } else file.refuse(node, `'${member}' cannot be rewritten here`);
  }
  for (const group of groupsOf(file, sets)) bindInGuard(file, keys, group, (node) => nodes.has(node));
  return { statements };
}
