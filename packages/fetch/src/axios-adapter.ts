import { finished, type Readable } from "node:stream";

import { type Context, current, run } from "@throughline/context";
import { callable, isTracingSuppressed } from "@throughline/context/internal";
import { type ClientOptions } from "@throughline/http";
import {
  type ClientSettings,
  clientSettings,
  OUTCOME_HEADER,
  OutboundCall,
  type OutgoingRequest,
} from "@throughline/http/adapter";

import { type LinkedSignal, linkSignals } from "./linked-signal.ts";
import { isHttpTraced } from "./traced-elsewhere.ts";
import { type CallObserver, UndiciCall } from "./undici-call.ts";
import { withOptionalTimeout } from "./with-optional-timeout.ts";

/** What an adapter of axios is given, as far as we look at it. */
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
  readonly beforeRedirect?: (options: Redirection, response: unknown, request: unknown) => void;
}

/** Where axios's adapter for `node:http` is redirected to, before it goes there. */
interface Redirection {
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
 * An adapter for axios that carries the current Context to the next service, over one of axios's own, `"http"` or `"fetch"`:
 * `axios.create({ adapter: contextAdapter(axios.getAdapter("http")) })`. A request under a context that ends rejects with that context's own
 * error object.
 *
 * @throws TypeError, RangeError if an option is wrong
 */
export function contextAdapter<A extends (config: never) => Promise<unknown>>(
  adapter: A,
  options: ClientOptions = {},
): A {
  const send = callable("adapter", adapter, "make an adapter") as unknown as Adapter;
  const settings = clientSettings(options, "make an adapter");
  // Of axios's own adapters one is over `node:http`, the others over `fetch`.
  const begin = adapter.name === "httpAdapter" ? overHttp : overFetch;

  const adapted: Adapter = async (config) => {
    const ctx = current();
    if (isTracingSuppressed(ctx)) return send(config);
    const [callCtx, cancel] = withOptionalTimeout(ctx, settings.timeout);
    const own = config.signal instanceof AbortSignal ? config.signal : undefined;
    const over = (): void => {
      link?.release();
      cancel();
    };
    let link: LinkedSignal | undefined;
    const sent = begin(callCtx, config, settings, { over, refuse: (error) => link?.abort(error) });
    const end = (error?: unknown): void => {
      sent.end(error === undefined ? undefined : (callCtx.err() ?? error), own?.aborted || isCanceled(error));
      over();
    };
    link = linkSignals(callCtx, own, end);
    // The config may be sent again, perhaps elsewhere: without what is ours.
    const headers = config.headers.concat();
    for (const [name, value] of sent.outbound.headers) headers.set(name, value);
    try {
      const response = await sent.send(() =>
        send({ ...config, headers, ...redirecting(config, sent.outbound), signal: link.signal }),
      );
      return received(response, config, sent, end);
    } catch (error) {
      // axios makes an error of its own of a signal's, and of a status that is not taken for good.
      const ended = callCtx.err();
      const { response } = (error ?? {}) as { response?: AxiosResponse };
      if (ended === undefined && response !== undefined) received(response, config, sent, end);
      else end(error);
      if (typeof error === "object" && error !== null && "config" in error) error.config = config;
      // Of a signal that has aborted, as that of the context has, axios makes an error of its own that says no more than "canceled".
      if (ended !== undefined) delete (config as { signal?: unknown }).signal;
      throw ended ?? error;
    }
  };
  return adapted as unknown as A;
}

/** A request of an adapter that is being sent. */
interface Sent {
  readonly outbound: OutboundCall;
  /** Whether its end is seen by other means than its body. */
  readonly isObserved: boolean;
  send<T>(fn: () => T): T;
  /** The response is here, of which the body may be on its way. */
  responded(): void;
  end(error?: unknown, isGivenUp?: boolean): void;
}

type Begin = (ctx: Context, config: Config, settings: ClientSettings, observer: CallObserver) => Sent;

const overHttp: Begin = (ctx, config, settings) => {
  const outbound = OutboundCall.begin(ctx, outgoingOf(config, isHttpTraced()), settings);
  return {
    outbound,
    isObserved: false,
    send: (fn) => run(outbound.ctx, fn),
    responded() {},
    end: (error, isGivenUp) => outbound.end(error, isGivenUp),
  };
};

const overFetch: Begin = (ctx, config, settings, observer) => {
  const call = new UndiciCall(ctx, outgoingOf(config, false), settings, observer, true, true);
  return {
    get outbound() {
      return call.outbound;
    },
    get isObserved() {
      return call.isObserved;
    },
    send: (fn) => call.send(fn),
    responded: () => call.responded(),
    end: (error, isGivenUp) => call.over(error, isGivenUp),
  };
};

/** The head of a response is here. Its config is what the caller gave, for whoever sends it again. */
function received(response: AxiosResponse, config: Config, sent: Sent, end: (error?: unknown) => void): AxiosResponse {
  sent.outbound.response(response.status);
  response.config = config;
  // A gateway that passes the response on would report the upstream's outcome as its own.
  response.headers?.delete?.(OUTCOME_HEADER);
  if (sent.isObserved) sent.responded();
  else followBody(response, end);
  return response;
}

function isCanceled(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === "ERR_CANCELED";
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

/** Has each redirect that axios follows over `node:http` carry what may go there, and no more. Over `fetch` undici's channels show where each leads. */
function redirecting(config: Config, call: OutboundCall): Partial<Config> {
  let ours = new Set(call.headers.map(([name]) => name));
  return {
    beforeRedirect(options, ...rest) {
      for (const name of Object.keys(options.headers)) if (ours.has(name.toLowerCase())) delete options.headers[name];
      const next = call.headersFor(new URL(options.href));
      Object.assign(options.headers, Object.fromEntries(next));
      ours = new Set(next.map(([name]) => name));
      config.beforeRedirect?.(options, ...rest);
    },
  };
}

/** As axios puts it together. */
function urlOf({ url = "", baseURL, allowAbsoluteUrls }: Config): URL | undefined {
  const isWhole = baseURL === undefined || (allowAbsoluteUrls !== false && /^([a-z][a-z\d+.-]*:)?\/\//i.test(url));
  return URL.parse(isWhole ? url : `${baseURL.replace(/\/+$/, "")}/${url.replace(/^\/+/, "")}`) ?? undefined;
}

/** Ends the call when its body is over: at once, unless it was asked for as a stream of Node's. */
function followBody(response: AxiosResponse, end: (error?: unknown) => void): void {
  const { data } = response;
  if (typeof (data as Readable | null | undefined)?.pipe === "function") {
    finished(data as Readable, (error) => end(error ?? undefined));
  } else {
    end();
  }
}
