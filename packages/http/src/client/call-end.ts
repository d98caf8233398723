import { DeadlineExceeded } from "@throughline/context";

import type { CallEnd } from "../observe/client-call.ts";
import type { EndedBy } from "../observe/server-request.ts";
import { DEADLINE_EXCEEDED } from "../telemetry/attributes.ts";
import { causes } from "../wire/causes.ts";

/**
 * @param error what kept it from going well, if anything did
 * @param isGivenUp whether the caller's own signal has ended it
 * @param status absent where no head has come
 */
export function callEnd(error: unknown, isGivenUp: boolean, status: number | undefined): CallEnd {
  const endedBy = endedByOf(error, isGivenUp);
  if (endedBy === "deadline") return { endedBy, errorType: DEADLINE_EXCEEDED };
  if (endedBy === "error") return { endedBy, errorType: errorTypeOf(error) };
  return { endedBy, errorType: status !== undefined && status >= 400 ? String(status) : undefined };
}

function endedByOf(error: unknown, isGivenUp: boolean): EndedBy {
  if (error === undefined) return "response";
  if (error instanceof DeadlineExceeded) return "deadline";
  const name = error instanceof Error ? error.name : undefined;
  return name === "AbortError" || (isGivenUp && name !== "TimeoutError") ? "cancel" : "error";
}

/** The most telling name that has few values, which is the innermost: clients wrap what happened in errors that say nothing. */
function errorTypeOf(error: unknown): string {
  let type = error instanceof Error ? error.name : "_OTHER";
  for (const each of causes(error)) {
    const { code } = each as NodeJS.ErrnoException;
    if (typeof code === "string") type = code;
  }
  return type;
}
