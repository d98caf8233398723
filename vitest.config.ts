import { fileURLToPath } from "node:url";

import { defineConfig } from "vitest/config";

export default defineConfig({
  // Node 22, the oldest version tested, does not support `using`. Nest's decorators are those that TypeScript calls experimental.
  oxc: { target: "es2022", decorator: { legacy: true } },
  resolve: {
    // Tests run from source, so that stack traces point to it.
    alias: [
      {
        find: /^@throughline\/(\w+)$/,
        replacement: fileURLToPath(new URL("packages/$1/src/index.ts", import.meta.url)),
      },
      {
        find: /^@throughline\/(\w+)\/(internal|adapter|metrics|register)$/,
        replacement: fileURLToPath(new URL("packages/$1/src/$2.ts", import.meta.url)),
      },
      {
        find: /^@throughline\/drivers\/(\w+)$/,
        replacement: fileURLToPath(new URL("packages/drivers/src/$1/index.ts", import.meta.url)),
      },
      {
        find: /^@throughline\/messages\/([\w-]+)$/,
        replacement: fileURLToPath(new URL("packages/messages/src/$1.ts", import.meta.url)),
      },
      {
        find: "create-throughline",
        replacement: fileURLToPath(new URL("packages/create-throughline/src/index.ts", import.meta.url)),
      },
      {
        find: "@throughline/grpc/connect",
        replacement: fileURLToPath(new URL("packages/grpc/src/connect/index.ts", import.meta.url)),
      },
    ],
  },
  test: {
    include: [
      "packages/*/src/**/*.test.ts",
      "examples/*/src/**/*.test.ts",
      "test/**/*.test.ts",
      "bench/**/*.test.ts",
      "site/**/*.test.ts",
    ],
    pool: "forks",
    // As many as there are cores, where the default leaves one idle: most tests wait for sockets.
    maxWorkers: "100%",
    // On a loaded machine a test of real sockets may miss its moment: once more, and the reporter says which.
    retry: process.env.CI === undefined ? 0 : 1,
    execArgv: ["--expose-gc"],
    testTimeout: 20_000,
  },
});
