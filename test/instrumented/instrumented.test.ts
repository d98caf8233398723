import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { SpanStatusCode } from "@opentelemetry/api";
import { beforeAll, describe, expect, it } from "vitest";

import { typescript } from "../support/typescript.ts";
import type { Report, Seen } from "./serve.ts";
import { OURS, ROUTE, setups } from "./setups.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";

/** The program; `test/matrix` runs a copy beside another version of OpenTelemetry. */
const program = process.env["INSTRUMENTED_PROGRAM"] ?? fileURLToPath(new URL("serve.ts", import.meta.url));

/** Runs the program in its own process, because instrumentations only patch modules that are loaded after them. */
async function reportOf(setup: string): Promise<Report> {
  const args = [...typescript, program, setup, `00-${TRACE}-b7ad6b7169203331-01`];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 10_000 });
  return JSON.parse(stdout) as Report;
}

describe.each(Object.entries(setups))("%s", (name, { framework, spanOf = OURS, measuredBy = OURS }) => {
  let report: Report;
  let requests: Seen[];
  beforeAll(async () => {
    report = await reportOf(name);
    requests = [report.answered, report.late, report.left];
  }, 15_000);

  it("a request has one SERVER span in the trace of its caller", () => {
    for (const { spans } of requests) expect(spans).toMatchObject([{ scope: spanOf, traceId: TRACE }]);
  });

  it("the handler has the deadline and the trace of the span", () => {
    const { remaining, traceId } = report.answered;

    expect(remaining).toBeGreaterThan(1000);
    expect(remaining).toBeLessThanOrEqual(2000);
    expect(traceId).toBe(TRACE);
  });

  it("the span records the budget, its source, and what ended the request", () => {
    expect(report.answered.status).toBe(200);
    expect(report.answered.spans[0]).toMatchObject({
      attributes: {
        "throughline.deadline.budget_ms": 2000,
        "throughline.deadline.source": "grpc-timeout header",
        "throughline.ended_by": "response",
      },
      status: SpanStatusCode.UNSET,
    });
  });

  it.runIf(framework === "Express" || framework === "Koa")(
    "the span has the complete route, including the paths of its routers",
    () => {
      for (const { spans } of requests) expect(spans[0]!.attributes["http.route"]).toBe(ROUTE);
    },
  );

  it("the span of an exceeded deadline is an error", () => {
    expect(report.late.status).toBe(504);
    expect(report.late.spans[0]).toMatchObject({
      attributes: {
        "throughline.deadline.budget_ms": 30,
        "throughline.ended_by": "deadline",
        "error.type": "DEADLINE_EXCEEDED",
      },
      status: SpanStatusCode.ERROR,
    });
  });

  it("the span of a client that disconnected is not an error", () => {
    expect(report.left.status).toBeUndefined();
    expect(report.left.spans[0]).toMatchObject({
      attributes: { "throughline.ended_by": "client" },
      status: SpanStatusCode.UNSET,
    });
    expect(report.left.spans[0]!.attributes).not.toHaveProperty("error.type");
  });

  it("records the duration of each request once, and counts what ended it", () => {
    expect(report.durations).toEqual({ [measuredBy]: 3 });
    expect(report.endings).toEqual({ response: 1, deadline: 1, client: 1 });
  });
});
