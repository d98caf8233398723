import type { RequestListener } from "node:http";

import { context, SpanKind, trace } from "@opentelemetry/api";
import { cleanUpAfterEach, serve } from "@throughline/test/support/loopback.ts";
import { recordSpans } from "@throughline/test/support/spans.ts";
import { describe, expect, it } from "vitest";

import { requestContext } from "../index.ts";

cleanUpAfterEach();
const spans = recordSpans();

/** Runs the listener in spans as a framework makes them, from the outer to the inner. */
function within(listener: RequestListener, [outer, ...others]: readonly SpanKind[], scope: string): RequestListener {
  if (outer === undefined) return listener;
  const inner = within(listener, others, scope);
  return (req, res) => {
    const span = trace.getTracer(scope).startSpan(SpanKind[outer], { kind: outer });
    res.once("close", () => span.end());
    context.with(trace.setSpan(context.active(), span), inner, undefined, req, res);
  };
}

const { SERVER, INTERNAL } = SpanKind;

describe("a request has one SERVER span", () => {
  it.each<[what: string, around: readonly SpanKind[], scope: string, kinds: string[]]>([
    ["ours, where there is none", [], "framework", ["SERVER @throughline/http"]],
    ["the framework's, which is active", [SERVER], "framework", ["SERVER framework"]],
    [
      "the framework's, which has another one active inside it",
      [SERVER, INTERNAL],
      "framework",
      ["INTERNAL framework", "SERVER framework"],
    ],
    [
      "ours, where the one that is active stands alone",
      [INTERNAL],
      "job",
      ["INTERNAL job", "SERVER @throughline/http"],
    ],
    [
      "ours, where only the instrumentation of a framework has some",
      [INTERNAL, INTERNAL],
      "@opentelemetry/instrumentation-router",
      [
        "INTERNAL @opentelemetry/instrumentation-router",
        "INTERNAL @opentelemetry/instrumentation-router",
        "SERVER @throughline/http",
      ],
    ],
  ])("%s", async (_what, around, scope, kinds) => {
    const { url } = await serve(
      within(
        requestContext((_req, res) => void res.end()),
        around,
        scope,
      ),
    );
    await (await fetch(url)).text();
    const ended = await spans.take(kinds.length);
    expect(ended.map((each) => `${SpanKind[each.kind]} ${each.instrumentationScope.name}`).toSorted()).toEqual(kinds);
    expect(ended.filter((each) => each.attributes["throughline.ended_by"] === "response")).toHaveLength(1);
  });
});
