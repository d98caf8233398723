import { removePairs } from "../wire/headers.ts";
import { OUTCOME_HEADER } from "../wire/outcome-header.ts";

/** What a response of a service with this library says about itself. */
export interface ServiceOutcome {
  /** Why it is not what was asked for. */
  readonly outcome: "deadline-exceeded" | "draining" | "overloaded";
  /** Whether any of the request had been run. If not, it can be sent again, whatever its method. */
  readonly started: boolean;
}

const GRAMMAR = /^(deadline-exceeded|draining|overloaded);started=\?([01])$/;

/** What responses have said whose header was removed. */
const said = new WeakMap<object, ServiceOutcome>();

/** The outcome that a service with this library has marked its response with; `undefined` for any other response, such as a proxy's with the same status. */
export function outcomeOf(response: Response): ServiceOutcome | undefined {
  return said.get(response) ?? parse(response.headers?.get?.(OUTCOME_HEADER));
}

/**
 * Removes the header from the raw headers of a response, names and values in turn, before anything is made of them. A gateway that passes a response
 * on, headers and all, would report the upstream's outcome as its own.
 *
 * @returns what it said, for {@link recordOutcome}
 */
export function removeOutcomeHeader(raw: unknown): string | undefined {
  if (!Array.isArray(raw)) return undefined;
  let outcome: string | undefined;
  removePairs<unknown>(raw, (name, value) => {
    if (!isOutcomeHeader(name)) return false;
    outcome = String(value);
    return true;
  });
  return outcome;
}

/** Most names are of another length: text is made of few. */
function isOutcomeHeader(name: unknown): boolean {
  return (
    (name as { length?: number }).length === OUTCOME_HEADER.length && String(name).toLowerCase() === OUTCOME_HEADER
  );
}

/** Has {@link outcomeOf} give the outcome of a response whose header was removed. */
export function recordOutcome(response: object, header: string | undefined): void {
  const outcome = parse(header);
  if (outcome !== undefined) said.set(response, outcome);
}

/** The same for a response that is whole already: its header is removed where its headers can be changed. */
export function stripOutcomeHeader<R extends Response>(response: R): R {
  const header = response.headers?.get?.(OUTCOME_HEADER);
  if (parse(header) === undefined) return response;
  recordOutcome(response, header!);
  try {
    response.headers.delete(OUTCOME_HEADER);
  } catch {
    // Those of a response of fetch are immutable: a copy would cost it all that it is besides.
  }
  return response;
}

function parse(header: string | null | undefined): ServiceOutcome | undefined {
  const match = GRAMMAR.exec(header ?? "");
  return match === null ? undefined : { outcome: match[1] as ServiceOutcome["outcome"], started: match[2] === "1" };
}
