import http from "node:http";
import https from "node:https";

import { contextAdapter, contextInterceptor, createFetch } from "@throughline/fetch";
import type { ClientOptions } from "@throughline/http";
import axios from "axios";
import * as undici8 from "undici";
import * as undici7 from "undici7";

import { lookup } from "./servers.ts";

type Fetch = typeof globalThis.fetch;

/** A client that sends the context, over redirects too. */
export interface Sender {
  readonly name: string;
  /** Whether it rejects URLs with a user name, always or only in redirects. */
  readonly rejectsUserInfo?: "always" | "redirected";
  /** Makes a function that calls a URL and reads the complete response. */
  make(options: ClientOptions): (url: string) => Promise<unknown>;
}

const anyName = { connect: { lookup, rejectUnauthorized: false } };

/** In undici the last interceptor sees a request first, so the context interceptor sees every redirect. */
function throughRequest({ Agent, request, interceptors }: typeof undici8): Sender["make"] {
  return (options) => {
    const redirect = interceptors.redirect({ maxRedirections: 5 });
    const dispatcher = new Agent(anyName).compose(contextInterceptor(options), redirect);
    return async (url) => (await request(url, { dispatcher })).body.text();
  };
}

function throughFetch(
  options: ClientOptions,
  dispatcher = new undici8.Agent(anyName),
): (url: string) => Promise<unknown> {
  const fetch = createFetch({ ...options, fetch: undici8.fetch as unknown as Fetch });
  return async (url) => (await fetch(url, { dispatcher } as unknown as RequestInit)).text();
}

/** `fetch` follows redirects itself, so its dispatcher sees each hop. */
function throughDispatcher(options: ClientOptions): (url: string) => Promise<unknown> {
  const dispatcher = new undici8.Agent(anyName).compose(contextInterceptor(options));
  return async (url) => (await undici8.fetch(url, { dispatcher })).text();
}

function throughAxios(options: ClientOptions): (url: string) => Promise<unknown> {
  const agents = {
    httpAgent: new http.Agent({ lookup } as http.AgentOptions),
    httpsAgent: new https.Agent({ lookup, rejectUnauthorized: false } as https.AgentOptions),
  };
  const client = axios.create({ ...agents, proxy: false, adapter: contextAdapter(axios.getAdapter("http"), options) });
  return (url) => client.get(url);
}

function throughAxiosFetch(options: ClientOptions): (url: string) => Promise<unknown> {
  const dispatcher = new undici8.Agent(anyName);
  const fetch = ((input: never, init: object) => undici8.fetch(input, { ...init, dispatcher })) as unknown as Fetch;
  const env = { fetch, Request: undici8.Request, Response: undici8.Response };
  const adapter = contextAdapter(axios.getAdapter("fetch", { env } as never), options);
  return (url) => axios.get(url, { adapter, validateStatus: null });
}

export const senders: readonly Sender[] = [
  { name: "createFetch", rejectsUserInfo: "always", make: (options) => throughFetch(options) },
  { name: "a fetch with the interceptor", rejectsUserInfo: "always", make: throughDispatcher },
  { name: "request of undici 8", make: throughRequest(undici8) },
  { name: "request of undici 7", make: throughRequest(undici7 as unknown as typeof undici8) },
  { name: "axios over node:http", make: throughAxios },
  { name: "axios over fetch", rejectsUserInfo: "redirected", make: throughAxiosFetch },
];
