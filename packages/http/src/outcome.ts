import { OUTCOME_HEADER } from "./answer.ts";

/** What a response of a service with this library says about itself. */
export interface ServiceOutcome {
  /** Why it is not what was asked for. */
  readonly outcome: "deadline-exceeded" | "draining" | "overloaded";
  /** Whether any of the request had been run. If not, it can be sent again, whatever its method. */
  readonly started: boolean;
}

const GRAMMAR = /^(deadline-exceeded|draining|overloaded);started=\?([01])$/;

/** `undefined` for any other response, such as one of a proxy's that has the same status. */
export function outcomeOf(headers: { get(name: string): string | null }): ServiceOutcome | undefined {
  const match = GRAMMAR.exec(headers.get(OUTCOME_HEADER) ?? "");
  return match === null ? undefined : { outcome: match[1] as ServiceOutcome["outcome"], started: match[2] === "1" };
}
