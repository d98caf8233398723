import type { ClientOptions } from "@throughline/http";

import { throughAxios, throughAxiosFetch } from "./axios.ts";
import { throughFetch, throughUndiciFetch } from "./fetch.ts";
import { throughUndici7, throughUndici8 } from "./undici.ts";

/** The response of a call. */
export interface Called {
  readonly status: number;
  text(): Promise<string>;
}

/** Calls a URL in the current context. */
export type Call = (
  url: string,
  init?: { method?: string; headers?: Record<string, string>; body?: string },
) => Promise<Called>;

/** A client that sends the context. */
export interface Client {
  readonly name: string;
  /** @param atEnd registers a function that closes resources after the test */
  make(options: ClientOptions, atEnd: (close: () => Promise<unknown>) => void): Call;
}

/** All supported clients. */
export const clients: readonly Client[] = [
  { name: "the global fetch", make: throughFetch },
  { name: "the fetch of undici 8", make: throughUndiciFetch },
  { name: "request of undici 8", make: throughUndici8 },
  { name: "request of undici 7", make: throughUndici7 },
  { name: "axios over node:http", make: throughAxios },
  { name: "axios over fetch", make: throughAxiosFetch },
];
