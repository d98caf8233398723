import { describe, expect, it } from "vitest";

import { describeTrace } from "./story.ts";
import { trace } from "./trace.fixture.ts";

const headline = (...given: Parameters<typeof trace>) => describeTrace(trace(...given))!.headline;
const moments = (...given: Parameters<typeof trace>) =>
  describeTrace(trace(...given))!.moments.map(({ at, text }) => `${at} ${text}`);

describe("the headline", () => {
  it("is undefined without spans", () => {
    expect(describeTrace([])).toBeUndefined();
  });

  it("has the time left if the request was answered in time", () => {
    const story = describeTrace(trace({ gateway: [[0, 184], { budget: 2000, by: "response", status: 200 }] }))!;
    expect(story).toMatchObject({
      headline: "Answered with 200 after 184 ms, with 1.82 s of its 2 s to spare.",
      tone: "good",
    });
  });

  it("has the delay if the answer came after the deadline", () => {
    expect(headline({ gateway: [[0, 230], { budget: 200, by: "response", status: 200 }] })).toBe(
      "Answered with 200 after 230 ms, 30 ms after its deadline.",
    );
  });

  it("states that there was no deadline", () => {
    expect(headline({ gateway: [[0, 9], { status: 404 }] })).toBe(
      "Answered with 404 after 9 ms; it carries no deadline.",
    );
    expect(headline({ job: [[0, 9]] })).toBe("Took 9 ms; it carries no deadline.");
  });

  it("states that the visitor left, and what was canceled", () => {
    const story = describeTrace(
      trace({
        gateway: [[0, 83], { by: "client" }],
        "gateway/call": [[1, 83.5], { by: "cancel", kind: "client", service: "gateway" }],
        "gateway/call/search": [[2, 86], { by: "client" }],
      }),
    )!;
    expect(story).toMatchObject({
      headline: "The visitor left after 83 ms; 1 call in 2 services was canceled within 3 ms.",
      tone: "left",
    });
  });

  it("names the caller if the root span has an unknown parent", () => {
    const [root] = trace({ gateway: [[0, 83], { by: "client" }] });
    expect(describeTrace([{ ...root!, parentSpanId: "elsewhere" }])!.headline).toBe(
      "The caller left after 83 ms; no other work was in progress.",
    );
  });

  it("names a service that continued after the cancellation", () => {
    const gone = [[0, 80], { by: "client" }] as const;
    expect(headline({ gateway: gone, "gateway/deaf": [[1, 200]] })).toBe(
      "The visitor left after 80 ms; deaf continued for 120 ms after that.",
    );
    expect(headline({ gateway: gone, "gateway/deaf": [[1, 200]], "gateway/b": [[1, 81], { by: "client" }] })).toBe(
      "The visitor left after 80 ms; 1 span in 1 service was canceled within 1 ms, but deaf continued for 120 ms.",
    );
    expect(headline({ gateway: gone, "gateway/quick": [[1, 85]] })).toBe(
      "The visitor left after 80 ms; no other work was canceled.",
    );
  });

  it("states which deadline passed, its source, and the callee that was waited for", () => {
    const story = describeTrace(
      trace({
        gateway: [[0, 320], { budget: 1500, source: "grpc-timeout header", status: 504, by: "response", failed: true }],
        "gateway/pricing": [[5, 315], { budget: 300, source: "maxTimeout", status: 504, by: "deadline", failed: true }],
        "gateway/pricing/GET": [
          [10, 285],
          { budget: 275, kind: "client", service: "pricing", by: "deadline", failed: true },
        ],
        "gateway/pricing/GET/inventory": [[11, 286], { budget: 275, by: "client" }],
      }),
    )!;
    expect(story).toMatchObject({
      headline:
        "The deadline of 300 ms, set by maxTimeout in pricing, passed while pricing waited for inventory; " +
        "the visitor got 504 after 320 ms.",
      tone: "late",
    });
  });

  it("names the header if the visitor's own deadline passed", () => {
    expect(
      headline({ gateway: [[0, 201], { budget: 200, source: "x-timeout header", by: "deadline", status: 504 }] }),
    ).toBe("The deadline of 200 ms, set by x-timeout header, passed in gateway; the visitor got 504 after 201 ms.");
  });

  it("states that a request was refused, with the reason if known", () => {
    expect(headline({ gateway: [[0, 1], { budget: 3, by: "refusal", status: 504 }] })).toBe(
      "Refused on arrival with 504: 3 ms was left, too little to begin.",
    );
    expect(headline({ gateway: [[0, 1], { by: "refusal", status: 503 }] })).toBe(
      "Refused on arrival with 503, before any work was done.",
    );
  });

  it("states where a failure began, and its message", () => {
    expect(
      headline({
        gateway: [[0, 12], { by: "error", status: 500, failed: true }],
        "gateway/GET": [[1, 11], { kind: "client", service: "gateway", failed: true }],
        "gateway/GET/stock": [[2, 9], { status: 500, failed: true, statusMessage: "disk full" }],
        "gateway/other": [[2, 8], { failed: false }],
      }),
    ).toBe("Failed with 500 after 12 ms; it began in stock, at stock: disk full.");
  });

  it("lists the problems behind an answer, once each", () => {
    const story = describeTrace(
      trace({
        gateway: [[0, 350], { by: "response", status: 200 }],
        "gateway/GET": [[1, 300], { kind: "client", service: "gateway", by: "deadline", failed: true }],
        "gateway/GET/reviews": [[2, 301], { by: "client" }],
        "gateway/POST": [[1, 20], { kind: "client", service: "gateway", status: 504, failed: true }],
        "gateway/POST/stock": [[2, 19], { by: "refusal", status: 504, budget: 4 }],
      }),
    )!;
    expect(story).toMatchObject({
      headline:
        "Answered with 200 after 350 ms, though time ran out for reviews and stock refused because 4 ms was left.",
      tone: "refused",
    });
  });

  it("summarizes many problems", () => {
    const failed = { failed: true };
    expect(
      headline({
        a: [[0, 9], { status: 200 }],
        "a/b": [[1, 2], failed],
        "a/c": [[1, 2], failed],
        "a/d": [[1, 2], failed],
        "a/e": [[1, 2], failed],
      }),
    ).toBe("Answered with 200 after 9 ms, though b failed, c failed and 2 more had problems.");
  });
});

describe("the moments", () => {
  it("contain the origin and cuts of a budget, refusals, the deadline that passed and the cancellation", () => {
    expect(
      moments({
        gateway: [[0, 320], { budget: 1500, source: "grpc-timeout header", status: 200 }],
        "gateway/pricing": [[5, 306], { budget: 300, source: "maxTimeout", by: "deadline" }],
        "gateway/pricing/stock": [[6, 308], { by: "client" }],
        "gateway/late": [[310, 311], { by: "refusal", budget: 2 }],
      }),
    ).toEqual([
      "0 gateway was given 1.5 s by grpc-timeout header",
      "5 budget cut from 1.5 s to 300 ms by maxTimeout in pricing",
      "306 the deadline passed in pricing",
      "308 the cancel reached stock, 2 ms later",
      "310 budget cut from 1.19 s to 2 ms by late",
      "310 late refused on arrival: 2 ms was left",
    ]);
  });

  it("contain the topmost span that continued after the cancellation", () => {
    expect(
      moments({
        gateway: [[0, 80], { by: "client" }],
        "gateway/deaf": [[1, 200], { status: 200 }],
        "gateway/deaf/deeper": [[2, 190]],
        "gateway/quick": [[1, 82], { by: "client" }],
      }),
    ).toEqual([
      "80 the visitor left",
      "82 the cancel reached quick, 2 ms later",
      "200 deaf continued for 120 ms after the cancel",
    ]);
  });
});
