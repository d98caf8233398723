import { ContextError, DeadlineExceeded } from "@throughline/context";

import type { CallEnd, CallPhase } from "../observe/client-call.ts";
import type { EndedBy } from "../observe/server-request.ts";
import { DEADLINE_EXCEEDED } from "../telemetry/attributes.ts";
import { causes } from "../wire/causes.ts";

/**
 * Classifies the end of a call for its span and its metrics.
 *
 * @param error absent if the call succeeded
 * @param isAbortedByCaller whether the caller's own signal aborted the call
 * @param status absent if no response head arrived
 */
export function callEnd(error: unknown, isAbortedByCaller: boolean, status: number | undefined): CallEnd {
  const endedBy = endedByOf(error, isAbortedByCaller);
  if (endedBy === "deadline") return { endedBy, errorType: DEADLINE_EXCEEDED };
  if (endedBy === "error") return { endedBy, errorType: errorTypeOf(error) };
  return { endedBy, errorType: status !== undefined && status >= 400 ? String(status) : undefined };
}

function endedByOf(error: unknown, isAbortedByCaller: boolean): EndedBy {
  if (error === undefined) return "response";
  if (error instanceof DeadlineExceeded) return "deadline";
  const name = error instanceof Error ? error.name : undefined;
  return name === "AbortError" || (isAbortedByCaller && name !== "TimeoutError") ? "cancel" : "error";
}

/** Returns the innermost error code, which has few distinct values: clients wrap errors in less specific ones. */
function errorTypeOf(error: unknown): string {
  let type = error instanceof Error ? error.name : "_OTHER";
  for (const each of causes(error)) {
    const { code } = each as NodeJS.ErrnoException;
    if (typeof code === "string") type = code;
  }
  return type;
}

/** A call that was in progress when its context ended. */
export interface CallDetails {
  readonly method: string;
  /** Without the query, which may contain secrets. */
  readonly url: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly phase: CallPhase;
  /** Milliseconds since the start of the attempt. */
  readonly elapsed: number;
}

/** The maximum number of calls that an error records: the first ones to end. */
const MAX_CALLS = 16;

interface WithCalls {
  calls?: CallDetails[];
}

/** For errors that are not extensible: a listener of the signal may have frozen its reason. */
const callsOfFrozen = new WeakMap<ContextError, CallDetails[]>();

/**
 * Records a call in the error of the context that ended it. All contexts that ended together share one error, which so
 * lists all calls that were in progress. `calls` is an own property, so that loggers print it.
 */
export function recordCall(error: unknown, call: CallDetails): void {
  if (!(error instanceof ContextError)) return;
  const calls = recordedCalls(error) ?? addCalls(error);
  if (calls.length < MAX_CALLS) calls.push(call);
}

function recordedCalls(error: ContextError): CallDetails[] | undefined {
  return (error as WithCalls).calls ?? callsOfFrozen.get(error);
}

function addCalls(error: ContextError): CallDetails[] {
  const calls: CallDetails[] = [];
  if (Object.isExtensible(error)) (error as WithCalls).calls = calls;
  else callsOfFrozen.set(error, calls);
  return calls;
}

/** Returns the calls that this error of a context ended, at most 16, in the order in which they ended. */
export function callsOf(error: unknown): readonly CallDetails[] {
  return error instanceof ContextError ? (recordedCalls(error) ?? []) : [];
}
