import { removePairs } from "../wire/headers.ts";
import { OUTCOME_HEADER, parseOutcome, type ServiceOutcome } from "../wire/outcome-header.ts";

/** The outcomes of responses whose header was removed. */
const outcomes = new WeakMap<object, ServiceOutcome>();

/**
 * Returns the outcome that a service with this library reports in its response; `undefined` for any other response,
 * such as a proxy's with the same status.
 */
export function outcomeOf(response: Response): ServiceOutcome | undefined {
  return outcomes.get(response) ?? parseOutcome(response.headers?.get?.(OUTCOME_HEADER));
}

/**
 * Removes the outcome header from raw response headers, in which names and values alternate. Otherwise a gateway that
 * forwards all headers would report the upstream's outcome as its own.
 *
 * @returns the value of the header, for {@link recordOutcome}
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

/** Compares the length first, so that most names, which may be bytes, are not converted to a string. */
function isOutcomeHeader(name: unknown): boolean {
  return (
    (name as { length?: number }).length === OUTCOME_HEADER.length && String(name).toLowerCase() === OUTCOME_HEADER
  );
}

/** Records the removed header of a response for {@link outcomeOf}. */
export function recordOutcome(response: object, header: string | undefined): void {
  const outcome = parseOutcome(header);
  if (outcome !== undefined) outcomes.set(response, outcome);
}

/** Records the outcome of a response and removes the header, unless the headers are immutable. */
export function stripOutcomeHeader<R extends Response>(response: R): R {
  const header = response.headers?.get?.(OUTCOME_HEADER);
  if (parseOutcome(header) === undefined) return response;
  recordOutcome(response, header!);
  try {
    response.headers.delete(OUTCOME_HEADER);
  } catch {
    // Headers of a response of `fetch` are immutable. A copy of the response would lose its URL and its type.
  }
  return response;
}
