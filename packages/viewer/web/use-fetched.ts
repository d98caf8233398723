import { useEffect, useRef, useState } from "preact/hooks";

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
  /** Identifies the version of the value, if the server sends one. */
  readonly etag?: string | undefined;
  readonly value?: T;
  readonly problem?: string;
}

/**
 * Fetches a path, and again whenever the revision changes.
 *
 * @param keeps whether to return the result of the previous path until the new one arrives
 */
export function useFetched<T>(path: string, revision: number, keeps = false): Fetched<T> {
  const [result, setResult] = useState<FetchResult<T> | undefined>();
  const [isLoading, setLoading] = useState(true);
  const latest = useRef(result);
  latest.current = result;
  useEffect(() => {
    const controller = new AbortController();
    const load = async (): Promise<void> => {
      const loaded = await request<T>(path, latest.current, controller.signal);
      if (controller.signal.aborted) return;
      if (loaded !== undefined) setResult(loaded);
      setLoading(false);
    };
    setLoading(true);
    void load();
    return () => controller.abort();
  }, [path, revision]);
  const isUsable = result !== undefined && (result.path === path || keeps);
  return { value: isUsable ? result.value : undefined, problem: isUsable ? result.problem : undefined, isLoading };
}

/** Returns `undefined` if the value is still that of the last result. */
async function request<T>(
  path: string,
  last: FetchResult<T> | undefined,
  signal: AbortSignal,
): Promise<FetchResult<T> | undefined> {
  try {
    const known = last?.path === path ? last.etag : undefined;
    const headers: Record<string, string> = known === undefined ? {} : { "if-none-match": known };
    const response = await fetch(path, { signal, headers, cache: "no-store" });
    if (response.status === 304) return undefined;
    const etag = response.headers.get("etag") ?? undefined;
    if (response.ok) return { path, etag, value: (await response.json()) as T };
    const failure = (await response.json().catch(() => undefined)) as ApiError | undefined;
    return { path, problem: failure?.message ?? `The viewer answered ${response.status} for ${path}` };
  } catch {
    return {
      path,
      problem: "The viewer does not answer. Check that it is running; this page reconnects automatically.",
    };
  }
}
