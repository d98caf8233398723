import { expect, it } from "vitest";

import { originFilter } from "./origins.ts";

it.each([
  ["https://api.example.com", "https://api.example.com/path?q#f", true],
  ["https://api.example.com", "https://API.example.com:443/", true],
  ["HTTPS://API.Example.com", "https://api.example.com/", true],
  ["https://api.example.com", "http://api.example.com/", false],
  ["https://api.example.com", "https://api.example.com:8443/", false],
  ["https://api.example.com", "https://api.example.com.evil.example/", false],
  ["https://api.example.com", "https://evil.example/api.example.com", false],
  ["https://api.example.com", "https://api.example.com@evil.example/", false],
  ["https://api.example.com", "https://apixexample.com/", false],
  ["https://api.example.com", "https://sub.api.example.com/", false],
  ["https://api.example.com", "https://api.example.com./", false],
  ["https://*.example.com", "https://a.example.com/", true],
  ["https://*.example.com", "https://a.b.example.com/", true],
  ["https://*.example.com", "https://example.com/", false],
  ["https://*.example.com", "https://notexample.com/", false],
  ["https://*.example.com", "https://.example.com/", false],
  ["https://*.example.com", "https://a.example.com:8443/", false],
  ["https://*.example.com:*", "https://a.example.com:8443/", true],
  ["http://localhost:*", "http://localhost:3000/", true],
  ["http://localhost:*", "http://localhost/", true],
  ["http://localhost", "http://localhost:3000/", false],
  ["http://127.0.0.1:8080", "http://127.1:8080/", true],
  ["http://[::1]:8080", "http://[0:0:0:0:0:0:0:1]:8080/", true],
  ["https://*.internal", "https://tokens.shop.internal/", true],
  ["https://*.svc.cluster.local", "https://stock.shop.svc.cluster.local/", true],
  ["http://*.localhost:*", "http://shop.localhost:3000/", true],
  ["http://*.localhost:*", "http://localhost:3000/", false],
  ["https://*.consul", "https://stock.service.consul/", true],
  ["https://*.shop.co.uk", "https://api.shop.co.uk/", true],
  ["https://*.ada.github.io", "https://api.ada.github.io/", true],
  ["https://ada.github.io", "https://ada.github.io/", true],
  ["https://*.city.kawasaki.jp", "https://api.city.kawasaki.jp/", true],
  ["https://xn--mnchen-3ya.example", "https://m\u00FCnchen.example/", true],
])("%s allows %s: %s", (pattern, url, isAllowed) => {
  const parsed = URL.parse(url);
  expect(parsed !== null && originFilter([pattern], "test")(parsed)).toBe(isAllowed);
});

it("an empty list allows no origin", () => {
  expect(originFilter([], "test")(new URL("https://api.example.com/"))).toBe(false);
});

it.each([
  "api.example.com",
  "*",
  "https://*",
  "https://*.*",
  "https://*.10.0.0.1",
  "https://*.[::1]",
  "https://*.example..com",
  "https://*.example.com.",
  "https://api.*.com",
  "https://api.example.com/",
  "https://api.example.com/path",
  "https://user@api.example.com",
  "https://api.example.com.",
  "https://api.example.com:99999",
  "ftp://api.example.com",
  "https://",
  7,
])("rejects the malformed pattern %s", (pattern) => {
  expect(() => originFilter([pattern as string], "create a fetch")).toThrow(
    /Cannot create a fetch: 'origins' must contain only origins/,
  );
});

it.each([
  "https://*.com",
  "HTTPS://*.COM:8443",
  "https://*.co.uk",
  "http://*.co.uk:*",
  "https://*.github.io",
  "https://*.herokuapp.com",
  "https://*.s3.amazonaws.com",
  "https://*.kawasaki.jp",
  "https://*.xn--p1ai",
])("rejects the wildcard %s, which is directly below a public suffix", (pattern) => {
  expect(() => originFilter(["https://api.example.com", pattern], "create a fetch")).toThrow(
    `Cannot create a fetch: 'origins' must not contain a wildcard directly below a public suffix, where anyone can ` +
      `register a name; received string "${pattern}". List the exact origins instead`,
  );
});
