import { OUTCOME_HEADER } from "../server/answer.ts";

/** What a response of a service with this library says about itself. */
export interface ServiceOutcome {
  /** Why it is not what was asked for. */
  readonly outcome: "deadline-exceeded" | "draining" | "overloaded";
  /** Whether any of the request had been run. If not, it can be sent again, whatever its method. */
  readonly started: boolean;
}

const GRAMMAR = /^(deadline-exceeded|draining|overloaded);started=\?([01])$/;

/** What responses have said whose header was taken away. */
const said = new WeakMap<Response, ServiceOutcome>();

/** `undefined` for any other response, such as one of a proxy's that has the same status. */
export function outcomeOf(response: Response): ServiceOutcome | undefined {
  return said.get(response) ?? parse(response.headers.get(OUTCOME_HEADER));
}

/**
 * The response without the header: {@link outcomeOf} still tells. A service that passes a response on, headers and all, would say of its own work
 * what the one behind it has said of its.
 */
export function unmarked(response: Response): Response {
  const outcome = parse(response.headers.get(OUTCOME_HEADER));
  if (outcome === undefined) return response;
  said.set(response, outcome);
  response.headers.delete(OUTCOME_HEADER);
  return response;
}

function parse(header: string | null): ServiceOutcome | undefined {
  const match = GRAMMAR.exec(header ?? "");
  return match === null ? undefined : { outcome: match[1] as ServiceOutcome["outcome"], started: match[2] === "1" };
}
