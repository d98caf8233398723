/* global expect, test */
// Jest loads ES modules by `require` from Node 24.9 on.
const [major, minor] = process.versions.node.split(".").map(Number);
const isSupported = major > 24 || (major === 24 && minor >= 9);

// Outside of the test, whose time limit does not include the transformation of the files.
const { background, withTimeout } = isSupported ? require("@throughline/context") : {};
const { runWithClock } = isSupported ? require("@throughline/testing") : {};

(isSupported ? test : test.skip)("the kit can be required", () =>
  runWithClock(async (clock) => {
    const [ctx] = withTimeout(background, "2s");
    await clock.advance("2s");
    expect(ctx.err().name).toBe("TimeoutError");
  }),
);
