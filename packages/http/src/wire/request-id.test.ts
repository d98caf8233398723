import { background, withValue } from "@throughline/context";
import { traceOwnerKey } from "@throughline/context/internal";
import { expect, it } from "vitest";

import { NodeHeaders } from "./headers.ts";
import { requestId, requestIdHeader, withRequestId } from "./request-id.ts";

const TRACE = "1".repeat(32);
const request = withValue(background, traceOwnerKey, { ownTraceId: TRACE });

it("requestId is the trace id without a request id header, and undefined outside of a request", () => {
  expect([requestId(background), requestId(request), requestIdHeader(request)]).toEqual([undefined, TRACE, undefined]);
});

it.each([
  "01ARZ3NDEKTSV4RRFFQ69G5FAV",
  "0b5c1f0e-6a4e-4b9c-9a0e-3f9d1c2b7a11",
  "Root=1-67891233-abcdef",
  "a".repeat(128),
])("requestId is the id of the caller: %s", (id) => {
  const ctx = withRequestId(request, "x-request-id", new NodeHeaders({ "x-request-id": id }));
  expect([requestId(ctx), requestIdHeader(ctx)]).toEqual([id, ["x-request-id", id]]);
});

it.each([undefined, "", "a b", "a\nb", "<script>", "a".repeat(129), ["a", "b"]])(
  "requestId is the trace id if the id of the caller is not safe to log: %j",
  (id) => {
    const ctx = withRequestId(request, "x-request-id", new NodeHeaders({ "x-request-id": id }));
    expect([requestId(ctx), requestIdHeader(ctx)]).toEqual([TRACE, ["x-request-id", TRACE]]);
  },
);
