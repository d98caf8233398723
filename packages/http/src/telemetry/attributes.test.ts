import { expect, it } from "vitest";

import { knownMethod, redactQuery, redactUrl } from "./attributes.ts";

it("a URL goes into a span without credentials, fragment and known secrets", () => {
  expect(redactUrl(new URL("https://ada:pw@example.com:8443/a?q=1&sig=abc&X-Goog-Signature=def#top"))).toBe(
    "https://example.com:8443/a?q=1&sig=REDACTED&X-Goog-Signature=REDACTED",
  );
  expect(redactQuery("?AWSAccessKeyId=AKIA&x=1")).toBe("?AWSAccessKeyId=REDACTED&x=1");
});

it("a method that nobody knows is one value, not as many as callers can think of", () => {
  expect([knownMethod("GET"), knownMethod("BREW")]).toEqual(["GET", "_OTHER"]);
});
