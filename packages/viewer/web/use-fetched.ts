import { useEffect, useState } from "preact/hooks";

import type { Failure } from "../src/api.ts";

/** What has been asked of the server, as far as it has come. */
export interface Fetched<T> {
  /** Of the same path the last that came, also while another is under way. */
  readonly value: T | undefined;
  readonly problem: string | undefined;
  readonly isLoading: boolean;
}

interface Arrived<T> {
  readonly path: string;
  readonly value?: T;
  readonly problem?: string;
}

/**
 * Asks for a path, and again whenever the revision changes.
 *
 * @param keeps whether what came of another path is better than nothing while this one is under way
 */
export function useFetched<T>(path: string, revision: number, keeps = false): Fetched<T> {
  const [arrived, setArrived] = useState<Arrived<T> | undefined>();
  const [isLoading, setLoading] = useState(true);
  useEffect(() => {
    const leaving = new AbortController();
    const follow = async (): Promise<void> => {
      const answer = await ask<T>(path, leaving.signal);
      if (leaving.signal.aborted) return;
      setArrived(answer);
      setLoading(false);
    };
    setLoading(true);
    void follow();
    return () => leaving.abort();
  }, [path, revision]);
  const isOurs = arrived !== undefined && (arrived.path === path || keeps);
  return { value: isOurs ? arrived.value : undefined, problem: isOurs ? arrived.problem : undefined, isLoading };
}

async function ask<T>(path: string, signal: AbortSignal): Promise<Arrived<T>> {
  try {
    const response = await fetch(path, { signal });
    if (response.ok) return { path, value: (await response.json()) as T };
    const failure = (await response.json().catch(() => undefined)) as Failure | undefined;
    return { path, problem: failure?.message ?? `The viewer answered ${response.status} for ${path}` };
  } catch {
    return { path, problem: "The viewer does not answer: is it still running? This page tries again when it is back." };
  }
}
