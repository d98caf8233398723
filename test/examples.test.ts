import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

const tests = globSync(["test/**/*.test.ts", "examples/*/src/**/*.test.ts"], {
  exclude: (name) => name === "node_modules" || name.startsWith("."),
});

describe.each(readdirSync("examples"))("the example %s", (name) => {
  it("has a README that says what it is", () => {
    expect(existsSync(`examples/${name}/README.md`)).toBe(true);
    expect(readFileSync(`examples/${name}/README.md`, "utf8")).toMatch(/^# .+\n\n\S/);
  });

  it("has a test", () => {
    const own = tests.filter(
      (file) => file.startsWith(`examples/${name}/`) || readFileSync(file, "utf8").includes(`examples/${name}`),
    );
    expect(own.filter((file) => !file.endsWith("examples.test.ts"))).not.toEqual([]);
  });
});
