import { describe, expect, it } from "vitest";

import { parseBaggage, withEntries, withoutEntries } from "./baggage.ts";

const many = (count: number): string => Array.from({ length: count }, (_, index) => `n${index}=1`).join(",");

describe("reading", () => {
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
  ])("gives the members of %j that follow the grammar", (header, members) => {
    expect(parseBaggage(header).map(({ name, value }) => [name, value])).toEqual(members);
  });

  it("keeps a member's properties in its text", () => {
    expect(parseBaggage(" a=1 ;p;q=2 ,b=1")[0]!.text).toBe("a=1 ;p;q=2");
  });

  it("gives nothing of what is too long, and no more members than there may be", () => {
    expect(parseBaggage(`a=${"x".repeat(8190)}`)).toHaveLength(1);
    expect(parseBaggage(`a=${"x".repeat(8191)}`)).toEqual([]);
    expect(parseBaggage(many(200))).toHaveLength(180);
  });
});

describe("adding", () => {
  it("puts entries in the place of those of the same name, before the others", () => {
    expect(withEntries("a=1;p,b=2,a=3", [["a", "4"]])).toBe("a=4,b=2");
    expect(
      withEntries(undefined, [
        ["a", "4"],
        ["b", "5"],
      ]),
    ).toBe("a=4,b=5");
  });

  it("leaves out what would make it too long, or too many", () => {
    const kept = withEntries(`big=${"x".repeat(8000)},small=1`, [["own", "y".repeat(300)]]);
    expect(kept).toBe(`own=${"y".repeat(300)},small=1`);
    expect(withEntries(many(180), [["own", "1"]]).split(",")).toHaveLength(180);
    expect(withEntries(`a=${"x".repeat(8178)}`, [["own", "123"]])).toHaveLength(8188);
  });

  it("keeps what somebody else has written as it is", () => {
    expect(withEntries("a b=1,c=2", [["own", "1"]])).toBe("own=1,a b=1,c=2");
  });
});

describe("taking away", () => {
  it("leaves the others as they were, with their properties", () => {
    expect(withoutEntries("a=1, b=2;p=%20 ;q , c=3", new Set(["a", "c"]))).toBe("b=2;p=%20 ;q");
  });

  it("takes away all of the same name", () => {
    expect(withoutEntries("a=1,b=2,a=3;p", new Set(["a"]))).toBe("b=2");
  });

  it("gives nothing where nothing is left", () => {
    expect(withoutEntries("a=1, a=2", new Set(["a"]))).toBeUndefined();
  });
});
