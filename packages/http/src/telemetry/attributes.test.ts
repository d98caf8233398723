import { expect, it } from "vitest";

import { knownMethod, redactQuery, redactUrl } from "./attributes.ts";

it("redactUrl removes credentials, the fragment and the values of secret parameters", () => {
  expect(redactUrl(new URL("https://ada:pw@example.com:8443/a?q=1&sig=abc&X-Goog-Signature=def#top"))).toBe(
    "https://example.com:8443/a?q=1&sig=REDACTED&X-Goog-Signature=REDACTED",
  );
  expect(redactQuery("?AWSAccessKeyId=AKIA&x=1")).toBe("?AWSAccessKeyId=REDACTED&x=1");
});

it.each([
  ["AWSAccessKeyId"],
  ["Signature"],
  ["sig"],
  ["X-Goog-Signature"],
  ["X-Amz-Signature"],
  ["X-Amz-Credential"],
  ["X-Amz-Security-Token"],
  ["access_token"],
  ["id_token"],
  ["refresh_token"],
  ["token"],
  ["code"],
  ["client_secret"],
  ["password"],
  ["api_key"],
  ["apikey"],
])("the value of the query parameter %s is redacted, in any case of the name", (name) => {
  for (const variant of [name, name.toLowerCase(), name.toUpperCase()]) {
    expect(redactQuery(`?a=1&${variant}=s3%26cret;#x&b=2`)).toBe(`?a=1&${variant}=REDACTED&b=2`);
    expect(redactQuery(`?my${variant}=1&${variant}s=2&${variant}`)).toBe(`?my${variant}=1&${variant}s=2&${variant}`);
  }
});

it.each([
  ["?%73ig=s3cret", "?%73ig=REDACTED"],
  ["?client%5fsecret=s3cret", "?client%5fsecret=REDACTED"],
  ["?X%2DAmz%2DSignature=s3cret", "?X%2DAmz%2DSignature=REDACTED"],
  ["?%2573ig=s3cret", "?%2573ig=REDACTED"],
  ["?sig%3Ds3cret&b=2", "?sig%3DREDACTED&b=2"],
  ["?a=1%26sig=s3cret", "?a=1%26sig=REDACTED"],
  ["?a=1;sig=s3cret", "?a=1;sig=REDACTED"],
  ["?a=1#access_token=s3cret", "?a=1#access_token=REDACTED"],
  [
    "?redirect_uri=https%3A%2F%2Fapp.example%2Fcb%3Fcode%3Ds3cret%26state%3Dx&scope=a",
    "?redirect_uri=https%3A%2F%2Fapp.example%2Fcb%3Fcode%3DREDACTED&scope=a",
  ],
  ["?next=%252Fcb%253Ftoken%253Ds3cret", "?next=%252Fcb%253Ftoken%253DREDACTED"],
])("percent-encoding does not hide a secret parameter: %s", (query, redacted) => {
  expect(redactQuery(query)).toBe(redacted);
});

it.each(["", "?", "?q", "?q=1&page=2", "?q=token", "?%", "?tok%65", "?key=1&codec=opus&tokenize=1&a=sig=1"])(
  "the query %j without secrets is unchanged",
  (query) => {
    expect(redactQuery(query)).toBe(query);
  },
);

it("all unknown methods are recorded as _OTHER", () => {
  expect([knownMethod("GET"), knownMethod("BREW")]).toEqual(["GET", "_OTHER"]);
});
