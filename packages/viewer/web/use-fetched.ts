import { useEffect, useState } from "preact/hooks";

import type { ApiError } from "../src/api.ts";

/** The state of a request to the server. */
export interface Fetched<T> {
  /** The last value for the path, also while the next request is in progress. */
  readonly value: T | undefined;
  readonly problem: string | undefined;
  readonly isLoading: boolean;
}

interface FetchResult<T> {
  readonly path: string;
  readonly value?: T;
  readonly problem?: string;
}

/**
 * Fetches a path, and again whenever the revision changes.
 *
 * @param keeps whether to return the result of the previous path until the new one arrives
 */
export function useFetched<T>(path: string, revision: number, keeps = false): Fetched<T> {
  const [result, setFetchResult] = useState<FetchResult<T> | undefined>();
  const [isLoading, setLoading] = useState(true);
  useEffect(() => {
    const leaving = new AbortController();
    const follow = async (): Promise<void> => {
      const answer = await ask<T>(path, leaving.signal);
      if (leaving.signal.aborted) return;
      setFetchResult(answer);
      setLoading(false);
    };
    setLoading(true);
    void follow();
    return () => leaving.abort();
  }, [path, revision]);
  const isOurs = result !== undefined && (result.path === path || keeps);
  return { value: isOurs ? result.value : undefined, problem: isOurs ? result.problem : undefined, isLoading };
}

async function ask<T>(path: string, signal: AbortSignal): Promise<FetchResult<T>> {
  try {
    const response = await fetch(path, { signal });
    if (response.ok) return { path, value: (await response.json()) as T };
    const failure = (await response.json().catch(() => undefined)) as ApiError | undefined;
    return { path, problem: failure?.message ?? `The viewer answered ${response.status} for ${path}` };
  } catch {
    return {
      path,
      problem: "The viewer does not answer. Check that it is running; this page reconnects automatically.",
    };
  }
}
