import { bootstrap, runNode } from "./bootstrap.mjs";

await bootstrap();
process.exitCode = await runNode("examples/storefront/main.ts", process.argv.slice(2));
