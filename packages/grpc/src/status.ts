import { Canceled, type ContextError, DeadlineExceeded } from "@throughline/context";
import { InvalidDeadline } from "@throughline/http";
import { causes, OUTCOME_HEADER, type Problem, problemOf } from "@throughline/http/adapter";

import { CODE, type Code } from "./code.ts";

/** What a call ends with on the wire. */
export interface CallStatus {
  readonly code: Code;
  readonly details: string;
  /** Goes along with it. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** The status of an error that is this library's to explain, however deep it is wrapped; `undefined` for any other. */
export function callStatusOf(error: unknown): CallStatus | undefined {
  const problem = problemOf(error);
  if (problem !== undefined) return statusOfProblem(problem, true, error);
  for (const each of causes(error)) if (each instanceof Canceled) return CANCELED;
  return undefined;
}

/** Without the cause: that is the server's own. */
const CANCELED: CallStatus = { code: CODE.CANCELLED, details: "context canceled", metadata: {} };

/** @param started whether a handler had begun: what was refused before is safe to send again */
export function statusOfProblem({ document, outcome }: Problem, started: boolean, error?: unknown): CallStatus {
  return {
    code: codeOf(document.status, document.type, error),
    details: details(document),
    metadata: outcome === undefined ? {} : { [OUTCOME_HEADER]: `${outcome};started=?${started ? 1 : 0}` },
  };
}

/** A malformed deadline is INTERNAL, as every implementation of gRPC has it. */
function codeOf(status: number, type: string, error: unknown): Code {
  if (error instanceof InvalidDeadline || type.endsWith(":invalid-deadline")) return CODE.INTERNAL;
  return CODES[status] ?? CODE.UNKNOWN;
}

const CODES: Readonly<Record<number, Code>> = {
  400: CODE.INVALID_ARGUMENT,
  401: CODE.UNAUTHENTICATED,
  403: CODE.PERMISSION_DENIED,
  503: CODE.UNAVAILABLE,
  504: CODE.DEADLINE_EXCEEDED,
};

function details({ title, detail, budgetMs, setBy }: Problem["document"]): string {
  if (detail !== undefined) return detail;
  const by = setBy === undefined ? "" : ` set by ${setBy}`;
  return budgetMs === undefined ? title : `${title}: budget ${budgetMs} ms${by}`;
}

/**
 * The status of a call that ends with its caller's context. Its error has all the rest as its cause: many handlers pass such an error on to their own
 * caller, who may be a stranger.
 */
export function statusOfEnd(error: ContextError): CallStatus {
  if (!(error instanceof DeadlineExceeded)) return CANCELED;
  return { code: CODE.DEADLINE_EXCEEDED, details: details(problemOf(error)!.document), metadata: {} };
}

/** The error of ours that a status of the other side stands for, where it does. */
export function errorOfStatus(code: number, details: string): ContextError | undefined {
  if (code === CODE.DEADLINE_EXCEEDED) return new DeadlineExceeded(`context deadline exceeded: ${details}`);
  return code === CODE.CANCELLED ? new Canceled(`context canceled: ${details}`) : undefined;
}
