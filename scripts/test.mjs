import { bootstrap, runNode } from "./bootstrap.mjs";

await bootstrap();
process.exitCode = await runNode("node_modules/vitest/vitest.mjs", ["run", ...process.argv.slice(2)]);
