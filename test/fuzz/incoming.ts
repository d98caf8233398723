import type { Context } from "@throughline/context";
import { background } from "@throughline/context";

import type { IncomingRequest } from "../../packages/http/src/observe/server-request.ts";
import { receiveValues } from "../../packages/http/src/server/receive-values.ts";
import { NodeHeaders } from "../../packages/http/src/wire/headers.ts";

export type Sent = Record<string, string | string[]>;

/** What came of a request: its context, whether it is to be refused, and the headers that are left of it. */
export interface Received {
  readonly ctx: Context;
  readonly isInvalid: boolean;
  readonly left: Sent;
}

/** Receives the values of a request with these headers. */
export function receive(headers: Sent, isTrusted: boolean): Received {
  const left = { ...headers };
  const request: IncomingRequest = {
    method: "GET",
    target: "/",
    scheme: "http",
    authority: undefined,
    headers: new NodeHeaders(left),
    remove: (name) => void delete left[name],
    replace: (name, value) => void (left[name] = value),
  };
  const { ctx, invalid } = receiveValues(background, request, () => isTrusted, "trusted");
  return { ctx, isInvalid: invalid !== undefined, left };
}
