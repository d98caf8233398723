import { propagation } from "@opentelemetry/api";
import { CompositePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import { current, TraceContextPropagator, traceId } from "@throughline/context";
import { createFetch } from "@throughline/fetch";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { hosts } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";
import { sendRaw } from "../support/http-client.ts";
import { recordSpans } from "../support/spans.ts";

// The rules of the W3C's test harness (https://github.com/w3c/trace-context, folder test), level 2.

type Headers = readonly (readonly [name: string, value: string])[];

const TRACE = "12345678901234567890123456789012";
const PARENT = "1234567890123456";
const VALID = `00-${TRACE}-${PARENT}-00`;
const TRACEPARENT = /^00-(?<trace>[0-9a-f]{32})-(?<parent>[0-9a-f]{16})-(?<flags>[0-9a-f]{2})$/;

/** Headers with which a new trace starts and no tracestate is sent on. */
const BEGINS: readonly (readonly [what: string, headers: Headers])[] = [
  ["no traceparent", []],
  ["a tracestate without a traceparent", [["tracestate", "foo=1"]]],
  [
    "two traceparents",
    [
      ["traceparent", VALID],
      ["traceparent", `00-${TRACE.slice(0, 31)}1-${PARENT}-01`],
    ],
  ],
  [
    "another name",
    [
      ["trace-parent", VALID],
      ["trace.parent", VALID],
    ],
  ],
  ...[
    `${VALID}.`,
    `${VALID}-what-the-future-will-be-like`,
    `cc-${TRACE}-${PARENT}-01.what-the-future-will-be-like`,
    `ff-${TRACE}-${PARENT}-01`,
    `.0-${TRACE}-${PARENT}-01`,
    `000-${TRACE}-${PARENT}-01`,
    `0-${TRACE}-${PARENT}-01`,
    `00-${"0".repeat(32)}-${PARENT}-01`,
    `00-.${TRACE.slice(1)}-${PARENT}-01`,
    `00-${TRACE}3-${PARENT}-01`,
    `00-${TRACE.slice(1)}-${PARENT}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE}-${PARENT.slice(1)}.-01`,
    `00-${TRACE}-${PARENT}7-01`,
    `00-${TRACE}-${PARENT.slice(1)}-01`,
    `00-${TRACE}-${PARENT}-.0`,
    `00-${TRACE}-${PARENT}-001`,
    `00-${TRACE}-${PARENT}-1`,
  ].map(
    (value) =>
      [
        value,
        [
          ["traceparent", value],
          ["tracestate", "foo=1"],
        ],
      ] as const,
  ),
];

/** Headers that continue the caller's trace, and the tracestate that is sent on. */
const GOES_ON: readonly (readonly [what: string, headers: Headers, tracestate: string | undefined])[] = [
  ["a traceparent alone", [["traceparent", VALID]], undefined],
  ["a name in capitals", [["TRACEPARENT", VALID]], undefined],
  ["a later version", [["traceparent", `cc-${TRACE}-${PARENT}-01-what-the-future-will-be-like`]], undefined],
  ["blanks around the value", [["traceparent", `\t ${VALID} \t`]], undefined],
  [
    "a tracestate",
    [
      ["traceparent", VALID],
      ["tracestate", "foo=1,bar=2"],
    ],
    "foo=1,bar=2",
  ],
  [
    "a tracestate in two headers, one of them empty",
    [
      ["traceparent", VALID],
      ["tracestate", "foo=1"],
      ["tracestate", ""],
      ["tracestate", "bar=2"],
    ],
    "foo=1,bar=2",
  ],
  [
    "the same key twice",
    [
      ["traceparent", VALID],
      ["tracestate", "foo=1,foo=2"],
    ],
    "foo=1,foo=2",
  ],
  [
    "blanks in a tracestate",
    [
      ["traceparent", VALID],
      ["tracestate", "foo=1 \t , \t bar=2"],
    ],
    "foo=1,bar=2",
  ],
  [
    "a key with at signs",
    [
      ["traceparent", VALID],
      ["tracestate", "foo@@bar@=1,bar=2"],
    ],
    "foo@@bar@=1,bar=2",
  ],
  [
    "an empty tracestate",
    [
      ["traceparent", VALID],
      ["tracestate", ""],
    ],
    undefined,
  ],
  ...["foo =1", "FOO=1", "foo.bar=1", "@foo=1", `${"z".repeat(257)}=1`, "foo=bar=baz", "foo="].map(
    (member) =>
      [
        `a tracestate with ${member.slice(0, 12)}`,
        [
          ["traceparent", VALID],
          ["tracestate", `ok=1,${member}`],
        ],
        undefined,
      ] as const,
  ),
];

describe.each(hosts)("$name", (host) => {
  const { serving } = serveOn(host);

  /** The headers of two calls of a request with these headers, and the trace id in its handler. */
  async function passedOn(headers: Headers): Promise<{ sent: Record<string, string>[]; id: string | undefined }> {
    const sent: Record<string, string>[] = [];
    let id: string | undefined;
    const fetch = createFetch({
      fetch: async (_input, init) => (sent.push(Object.fromEntries(new Headers(init?.headers))), new Response()),
    });
    const url = await serving(async () => {
      id = traceId(current());
      await fetch("http://next.example/");
      await fetch("http://next.example/");
      return "ok";
    });
    const { status } = await sendRaw(host.protocol, url, headers);
    expect(status).toBe(200);
    return { sent, id };
  }

  describe.each([
    ["without an SDK", () => {}],
    [
      "with a propagator of OpenTelemetry but without a tracer",
      () =>
        void propagation.setGlobalPropagator(
          new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new TraceContextPropagator()] }),
        ),
    ],
  ])("%s", (_, setUp) => {
    beforeAll(setUp);
    afterAll(() => propagation.disable());
    rules();
  });

  describe("with an SDK", () => {
    recordSpans();
    // Instead of OpenTelemetry's propagator, which accepts some malformed headers.
    beforeEach(() => {
      propagation.disable();
      propagation.setGlobalPropagator(new TraceContextPropagator());
    });
    rules();
  });

  function rules(): void {
    // HTTP/2 has no capitals in names and no blanks around values.
    const isSendable = (headers: Headers): boolean =>
      host.protocol === "http/1.1" ||
      headers.every(([name, value]) => name === name.toLowerCase() && value === value.trim());

    it.each(BEGINS)("starts a new trace: %s", async (_what, headers) => {
      const { sent, id } = await passedOn(headers);
      const [first, second] = sent.map((each) => TRACEPARENT.exec(each["traceparent"] ?? "")?.groups);

      expect(first).toBeDefined();
      expect(first!["trace"]).not.toContain(TRACE.slice(1, 30));
      expect([second!["trace"], id]).toEqual([first!["trace"], first!["trace"]]);
      expect(second!["parent"]).not.toBe(first!["parent"]);
      expect(sent[0]).not.toHaveProperty("tracestate");
    });

    it.each(GOES_ON.filter(([, headers]) => isSendable(headers)))(
      "continues the caller's trace: %s",
      async (_what, headers, tracestate) => {
        const { sent, id } = await passedOn(headers);
        const [first, second] = sent.map((each) => TRACEPARENT.exec(each["traceparent"] ?? "")?.groups);

        expect([first!["trace"], second!["trace"], id]).toEqual([TRACE, TRACE, TRACE]);
        expect(new Set([first!["parent"], second!["parent"], PARENT]).size).toBe(3);
        expect(sent[0]!["tracestate"]).toBe(tracestate);
      },
    );

    it.each(["00", "01", "02", "03"])("sends the random flag of the flags %s on unchanged", async (flags) => {
      const { sent } = await passedOn([["traceparent", `00-${TRACE}-${PARENT}-${flags}`]]);
      const passed = Number.parseInt(TRACEPARENT.exec(sent[0]!["traceparent"]!)!.groups!["flags"]!, 16);
      expect(passed & 2).toBe(Number(flags) & 2);
    });
  }
});
