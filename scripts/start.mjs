import { bootstrap, run } from "./bootstrap.mjs";

await bootstrap();
process.exitCode = await run("node", ["examples/storefront/main.ts", ...process.argv.slice(2)]);
