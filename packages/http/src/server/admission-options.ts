import { describe, refuseUnknown, wholeNumber } from "@throughline/context";

/** How many requests a server takes on at a time, and what it refuses. */
export interface AdmissionOptions {
  /**
   * How many requests run at a time; others wait for their turn. A request runs until its response is over and its handler is done: its promise
   * has settled. (Of an Express handler that returns none, only the response tells.) @default no limit
   */
  concurrency?: number;
  /**
   * How many requests wait at most. One more is refused (503), or takes the place of one that is less critical. @default as many as
   * may run
   */
  queue?: number;
  /**
   * Refuses what cannot finish: requests with less time left than the handlers of half of all requests to their route take. At most a fifth of
   * the requests of one client address over ten seconds are. Routes are what routers report, or `setRoute`. @default false
   */
  deadlineAware?: boolean;
}

export interface AdmissionSettings {
  readonly concurrency: number;
  readonly queue: number;
  readonly deadlineAware: boolean;
}

const ACTION = "make a request context";

/** @throws TypeError, RangeError if an option is wrong */
export function admissionSettings(options: AdmissionOptions): AdmissionSettings {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(
      `Cannot ${ACTION}: 'admission' must be an object, such as { concurrency: 100 }: current value is ${describe(options)}`,
    );
  }
  const { concurrency = Infinity, queue = concurrency, deadlineAware = false, ...others } = options;
  refuseUnknown(others, ACTION);
  wholeNumber("concurrency", concurrency, 1, ACTION);
  wholeNumber("queue", queue, 0, ACTION);
  if (typeof deadlineAware !== "boolean") {
    throw new TypeError(
      `Cannot ${ACTION}: 'deadlineAware' must be true or false: current value is ${describe(deadlineAware)}`,
    );
  }
  return { concurrency, queue, deadlineAware };
}
