import { describe, expect, it } from "vitest";

import { parseBaggage, withEntries, withoutEntries } from "./baggage.ts";

const many = (count: number): string => Array.from({ length: count }, (_, index) => `n${index}=1`).join(",");

describe("parseBaggage", () => {
  it.each<[string, [string, string][]]>([
    ["a=1", [["a", "1"]]],
    [
      " a = 1 ; p = 2 , b=%20",
      [
        ["a", "1"],
        ["b", "%20"],
      ],
    ],
    [
      "a=,b=1=2",
      [
        ["a", ""],
        ["b", "1=2"],
      ],
    ],
    [
      "a=1,,b=2",
      [
        ["a", "1"],
        ["b", "2"],
      ],
    ],
    [
      "a=1,a=2",
      [
        ["a", "1"],
        ["a", "2"],
      ],
    ],
    ['a;p=1,=1,a b=1,a="1",a=1 2,a=\u00E9', []],
    ["", []],
  ])("returns the well-formed members of %j", (header, members) => {
    expect(parseBaggage(header).map(({ name, value }) => [name, value])).toEqual(members);
  });

  it("keeps the properties of a member in its text", () => {
    expect(parseBaggage(" a=1 ;p;q=2 ,b=1")[0]!.text).toBe("a=1 ;p;q=2");
  });

  it("returns nothing for a header that is too long, and at most 180 members", () => {
    expect(parseBaggage(`a=${"x".repeat(8190)}`)).toHaveLength(1);
    expect(parseBaggage(`a=${"x".repeat(8191)}`)).toEqual([]);
    expect(parseBaggage(many(200))).toHaveLength(180);
  });
});

describe("withEntries", () => {
  it("replaces entries of the same name and puts the new ones first", () => {
    expect(withEntries("a=1;p,b=2,a=3", [["a", "4"]])).toBe("a=4,b=2");
    expect(
      withEntries(undefined, [
        ["a", "4"],
        ["b", "5"],
      ]),
    ).toBe("a=4,b=5");
  });

  it("drops entries beyond the limits of bytes and members", () => {
    const kept = withEntries(`big=${"x".repeat(8000)},small=1`, [["own", "y".repeat(300)]]);
    expect(kept).toBe(`own=${"y".repeat(300)},small=1`);
    expect(withEntries(many(180), [["own", "1"]]).split(",")).toHaveLength(180);
    expect(withEntries(`a=${"x".repeat(8178)}`, [["own", "123"]])).toHaveLength(8188);
  });

  it("keeps malformed entries of other writers unchanged", () => {
    expect(withEntries("a b=1,c=2", [["own", "1"]])).toBe("own=1,a b=1,c=2");
  });
});

describe("withoutEntries", () => {
  it("keeps the other entries with their properties", () => {
    expect(withoutEntries("a=1, b=2;p=%20 ;q , c=3", new Set(["a", "c"]))).toBe("b=2;p=%20 ;q");
  });

  it("removes all entries of the same name", () => {
    expect(withoutEntries("a=1,b=2,a=3;p", new Set(["a"]))).toBe("b=2");
  });

  it("returns undefined if no entry is left", () => {
    expect(withoutEntries("a=1, a=2", new Set(["a"]))).toBeUndefined();
  });
});
