import { ContextError } from "@throughline/context";

import type { CallPhase } from "../observe/client-call.ts";

/** A call that a context's end has cut short. */
export interface CallDetails {
  readonly method: string;
  /** Without its query: that may be secret. */
  readonly url: string;
  /** Which attempt it was; 1 for the first. */
  readonly attempt: number;
  readonly phase: CallPhase;
  /** Milliseconds since it was begun. */
  readonly elapsed: number;
}

/** How many calls an error tells of: those that were under way first. */
const MOST = 16;

interface Noted {
  calls?: CallDetails[];
}

/** For errors that cannot be written to: a listener on the signal may have frozen its reason. */
const callsOfFrozen = new WeakMap<ContextError, CallDetails[]>();

/**
 * Has the error of a context tell which call it has cut short. All that ended together have the one error, so it comes to tell of all
 * the calls that were under way: where the time went. It is a property that loggers show.
 */
export function noteCall(error: unknown, call: CallDetails): void {
  if (!(error instanceof ContextError)) return;
  const calls = knownCalls(error) ?? addCalls(error);
  if (calls.length < MOST) calls.push(call);
}

function knownCalls(error: ContextError): CallDetails[] | undefined {
  return (error as Noted).calls ?? callsOfFrozen.get(error);
}

function addCalls(error: ContextError): CallDetails[] {
  const calls: CallDetails[] = [];
  if (Object.isExtensible(error)) (error as Noted).calls = calls;
  else callsOfFrozen.set(error, calls);
  return calls;
}

/** The calls that ended with this error of a context, in the order in which they did. */
export function callsOf(error: unknown): readonly CallDetails[] {
  return error instanceof ContextError ? (knownCalls(error) ?? []) : [];
}
