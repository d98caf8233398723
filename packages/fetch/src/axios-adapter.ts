import type { Readable } from "node:stream";

import { type Context, current, run } from "@throughline/context";
import { callable, isTracingSuppressed, nodeModule } from "@throughline/context/internal";
import { type ClientOptions } from "@throughline/http";
import {
  type ClientSettings,
  clientSettings,
  OUTCOME_HEADER,
  OutboundCall,
  type OutgoingRequest,
} from "@throughline/http/adapter";

import { type LinkedSignal, linkSignals, withOptionalTimeout } from "./call-context.ts";
import { type CallObserver, UndiciCall } from "./undici-call.ts";

/** The config of axios, as far as the adapter reads it. */
interface Config {
  readonly url?: string;
  readonly baseURL?: string;
  readonly method?: string;
  readonly headers: {
    get(name: string): unknown;
    set(name: string, value: string): unknown;
    concat(): Config["headers"];
  };
  readonly allowAbsoluteUrls?: boolean;
  readonly signal?: unknown;
  readonly beforeRedirect?: (options: RedirectOptions, response: unknown, request: unknown) => void;
}

/** The request options that axios's adapter for `node:http` passes before it follows a redirect. */
interface RedirectOptions {
  readonly href: string;
  readonly headers: Record<string, string>;
}

interface AxiosResponse {
  readonly status: number;
  readonly headers?: { delete?(name: string): unknown };
  config?: unknown;
  data: unknown;
}

type Adapter = (config: Config) => Promise<AxiosResponse>;

/**
 * Wraps an adapter of axios, `"http"` or `"fetch"`, so that it sends the current Context to the next service:
 * `axios.create({ adapter: contextAdapter(axios.getAdapter("http")) })`. When the context ends, the request rejects
 * with the context's own error object.
 *
 * @throws TypeError, RangeError if an option is invalid
 */
export function contextAdapter<A extends (config: never) => Promise<unknown>>(
  adapter: A,
  options: ClientOptions = {},
): A {
  const send = callable("adapter", adapter, "make an adapter") as unknown as Adapter;
  const settings = clientSettings(options, "make an adapter");
  // One of axios's own adapters uses `node:http`; the others use `fetch`.
  const begin = adapter.name === "httpAdapter" ? beginHttpCall : beginFetchCall;

  const adapted: Adapter = async (config) => {
    const ctx = current();
    if (isTracingSuppressed(ctx)) return send(config);
    const [callCtx, cancel] = withOptionalTimeout(ctx, settings.timeout);
    const callerSignal = config.signal instanceof AbortSignal ? config.signal : undefined;
    const onEnd = (): void => {
      link?.release();
      cancel();
    };
    let link: LinkedSignal | undefined;
    const call = begin(callCtx, config, settings, { onEnd, abort: (error) => link?.abort(error) });
    const end = (error?: unknown): void => {
      call.end(error === undefined ? undefined : (callCtx.err() ?? error), callerSignal?.aborted || isCanceled(error));
      onEnd();
    };
    link = linkSignals(callCtx, callerSignal, end);
    // The headers are a copy: the caller may send the config again, perhaps to another origin.
    const headers = config.headers.concat();
    for (const [name, value] of call.outbound.headers) headers.set(name, value);
    try {
      const response = await call.send(() =>
        send({ ...config, headers, ...redirectHook(config, call.outbound), signal: link.signal }),
      );
      return received(response, config, call, end);
    } catch (error) {
      // axios makes its own error when the signal aborts, and when `validateStatus` rejects the status.
      const ended = callCtx.err();
      const { response } = (error ?? {}) as { response?: AxiosResponse };
      if (ended === undefined && response !== undefined) received(response, config, call, end);
      else end(error);
      if (typeof error === "object" && error !== null && "config" in error) error.config = config;
      // axios would replace the context's error by its own "canceled" if the config still had an aborted signal.
      if (ended !== undefined) delete (config as { signal?: unknown }).signal;
      throw ended ?? error;
    }
  };
  return adapted as unknown as A;
}

/** A request that an adapter sends. */
interface AdapterCall {
  readonly outbound: OutboundCall;
  /** Whether undici's channels report the end of the call. */
  readonly isObserved: boolean;
  send<T>(fn: () => T): T;
  /** The adapter has returned the response; its body may still be arriving. */
  responseReturned(): void;
  end(error?: unknown, isAborted?: boolean): void;
}

type Begin = (ctx: Context, config: Config, settings: ClientSettings, observer: CallObserver) => AdapterCall;

const beginHttpCall: Begin = (ctx, config, settings) => {
  const outbound = OutboundCall.begin(ctx, outgoingOf(config, isHttpInstrumented()), settings);
  return {
    outbound,
    isObserved: false,
    send: (fn) => run(outbound.ctx, fn),
    responseReturned() {},
    end: (error, isAborted) => outbound.end(error, isAborted),
  };
};

const beginFetchCall: Begin = (ctx, config, settings, observer) => {
  const call = new UndiciCall(ctx, outgoingOf(config, false), settings, observer, true, true);
  return {
    get outbound() {
      return call.outbound;
    },
    get isObserved() {
      return call.isObserved;
    },
    send: (fn) => call.send(fn),
    responseReturned: () => call.responseReturned(),
    end: (error, isAborted) => call.end(error, isAborted),
  };
};

/** Whether an instrumentation makes spans for requests of `node:http`: OpenTelemetry's wraps `http.request`. */
function isHttpInstrumented(): boolean {
  return (nodeModule("node:http")?.request as { __wrapped?: boolean } | undefined)?.__wrapped === true;
}

function outgoingOf(config: Config, isTracedElsewhere: boolean): OutgoingRequest {
  const baggage = config.headers.get("baggage");
  return {
    method: (config.method ?? "get").toUpperCase(),
    url: urlOf(config),
    attempt: 1,
    isTracedElsewhere,
    baggage: typeof baggage === "string" ? baggage : undefined,
  };
}

/** The request's URL, combined as axios does. */
function urlOf({ url = "", baseURL, allowAbsoluteUrls }: Config): URL | undefined {
  const isAbsolute = baseURL === undefined || (allowAbsoluteUrls !== false && /^([a-z][a-z\d+.-]*:)?\/\//i.test(url));
  return URL.parse(isAbsolute ? url : `${baseURL.replace(/\/+$/, "")}/${url.replace(/^\/+/, "")}`) ?? undefined;
}

/**
 * Gives each redirect that axios follows over `node:http` the headers that may go to its URL, in place of those of
 * the last hop. Over `fetch`, undici's channels report each hop.
 */
function redirectHook(config: Config, call: OutboundCall): Partial<Config> {
  let names = new Set(call.headers.map(([name]) => name));
  return {
    beforeRedirect(options, ...rest) {
      for (const name of Object.keys(options.headers)) if (names.has(name.toLowerCase())) delete options.headers[name];
      const headers = call.headersFor(new URL(options.href));
      Object.assign(options.headers, Object.fromEntries(headers));
      names = new Set(headers.map(([name]) => name));
      config.beforeRedirect?.(options, ...rest);
    },
  };
}

/** Handles a response head. The response gets the caller's config, which the caller may send again. */
function received(
  response: AxiosResponse,
  config: Config,
  call: AdapterCall,
  end: (error?: unknown) => void,
): AxiosResponse {
  call.outbound.response(response.status);
  response.config = config;
  // A gateway that forwards the response would report the upstream's outcome as its own.
  response.headers?.delete?.(OUTCOME_HEADER);
  if (call.isObserved) call.responseReturned();
  else endWithBody(response, end);
  return response;
}

/** Ends the call with its body: at once, unless the body is a Node stream. */
function endWithBody(response: AxiosResponse, end: (error?: unknown) => void): void {
  const { data } = response;
  if (typeof (data as Readable | null | undefined)?.pipe === "function") {
    nodeModule("node:stream")!.finished(data as Readable, (error) => end(error ?? undefined));
  } else {
    end();
  }
}

function isCanceled(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === "ERR_CANCELED";
}
