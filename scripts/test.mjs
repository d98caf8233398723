import { bootstrap, run } from "./bootstrap.mjs";

await bootstrap();
process.exitCode = await run("vitest", ["run", ...process.argv.slice(2)]);
