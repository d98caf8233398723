import type { RequestListener } from "node:http";

import { context, SpanKind, trace } from "@opentelemetry/api";
import { cleanUpAfterEach, serve } from "@throughline/test/support/loopback.ts";
import { recordSpans } from "@throughline/test/support/spans.ts";
import { describe, expect, it } from "vitest";

import { requestContext } from "../index.ts";

cleanUpAfterEach();
const spans = recordSpans();

/** Wraps the listener in spans like those of a framework, outermost first. */
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
    ["one of this package if there is no other", [], "framework", ["SERVER @throughline/http"]],
    ["the active span of the framework", [SERVER], "framework", ["SERVER framework"]],
    [
      "the span of the framework if an inner span of it is active",
      [SERVER, INTERNAL],
      "framework",
      ["INTERNAL framework", "SERVER framework"],
    ],
    [
      "one of this package if the active span has no parent",
      [INTERNAL],
      "job",
      ["INTERNAL job", "SERVER @throughline/http"],
    ],
    [
      "one of this package if only the instrumentation of a framework made spans",
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
