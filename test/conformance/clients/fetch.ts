import { createFetch } from "@throughline/fetch";
import { Agent, fetch as undiciFetch } from "undici";

import type { Client } from "./index.ts";

export const throughFetch: Client["make"] = (options) => createFetch(options);

/** With its own dispatcher, as for connection limits. */
export const throughUndiciFetch: Client["make"] = (options, atEnd) => {
  const dispatcher = new Agent();
  atEnd(() => dispatcher.destroy());
  const fetch = createFetch({ ...options, fetch: undiciFetch as unknown as typeof globalThis.fetch });
  return (url, init) => fetch(url, { ...init, dispatcher } as unknown as RequestInit);
};
