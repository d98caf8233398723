// `npm create throughline [folder] -- [--framework express|koa|hono|nest] [--language typescript|javascript]`
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";

import { create } from "./create.ts";
import { type Framework, FRAMEWORKS, type Language, LANGUAGES } from "./service-options.ts";

const USAGE = `Usage: npm create throughline [folder] -- [options]

  --framework  ${FRAMEWORKS.join(", ")}
  --language   ${LANGUAGES.join(", ")} (nest: typescript)
  --help       prints this
`;

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { framework: { type: "string" }, language: { type: "string" }, help: { type: "boolean" } },
  });
  if (values.help === true) {
    console.log(USAGE);
  } else {
    const folder = positionals[0] ?? (await answer("Folder", "my-service"));
    const framework = values.framework ?? (await answer(`Framework: ${FRAMEWORKS.join(", ")}`, "express"));
    const language =
      values.language ??
      (framework === "nest" ? "typescript" : await answer(`Language: ${LANGUAGES.join(", ")}`, "typescript"));
    const files = create(folder, { framework: framework as Framework, language: language as Language });
    console.log(`Created ${files.length} files in ${folder}. Next:\n`);
    console.log(`  cd ${folder}\n  npm install\n  npm test\n  npm run viewer   # and in another terminal: npm start`);
  }
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}

/** Asks in a terminal; elsewhere the default is taken. */
async function answer(question: string, preset: string): Promise<string> {
  if (!process.stdin.isTTY) return preset;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await terminal.question(`${question} (${preset}): `)).trim() || preset;
  } finally {
    terminal.close();
  }
}
