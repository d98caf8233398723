/* global expect, test */
// Jest loads ES modules by `require` from Node 24.9 on.
const [major, minor] = process.versions.node.split(".").map(Number);
const isSupported = major > 24 || (major === 24 && minor >= 9);

(isSupported ? test : test.skip)("the kit can be required", async () => {
  const { background, withTimeout } = require("@throughline/context");
  const { runWithClock } = require("@throughline/testing");
  await runWithClock(async (clock) => {
    const [ctx] = withTimeout(background, "2s");
    await clock.advance("2s");
    expect(ctx.err().name).toBe("TimeoutError");
  });
});
