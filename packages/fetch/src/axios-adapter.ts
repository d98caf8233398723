import { finished, type Readable } from "node:stream";

import { callable, current, isSuppressed, run } from "@throughline/context";
import {
  type ClientOptions,
  type ClientSettings,
  clientSettings,
  OutboundCall,
  type OutgoingRequest,
} from "@throughline/http";

import { limitedBy } from "./limited-by.ts";
import { linkSignals } from "./linked-signal.ts";
import { isHttpTraced, isTracedElsewhere } from "./traced-elsewhere.ts";
import { watchProgress } from "./undici-progress.ts";
import { watchedBody } from "./watched-body.ts";

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
  readonly fetchOptions?: object;
}

/** Where axios's adapter for `node:http` is redirected to, before it goes there. */
interface Redirection {
  readonly href: string;
  readonly headers: Record<string, string>;
}

interface AxiosResponse {
  readonly status: number;
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
  const isTraced = adapter.name === "httpAdapter" ? isHttpTraced : isTracedElsewhere;

  const adapted: Adapter = async (config) => {
    const ctx = current();
    if (isSuppressed(ctx)) return send(config);
    watchProgress();
    const [whole, cancel] = limitedBy(ctx, settings.timeout);
    const call = OutboundCall.begin(whole, outgoingOf(config, isTraced()), settings);
    // Whoever sends a config again, perhaps elsewhere, must not send ours.
    const headers = config.headers.concat();
    for (const [name, value] of call.headers) headers.set(name, value);

    const own = config.signal instanceof AbortSignal ? config.signal : undefined;
    const end = (error?: unknown): void => {
      link.release();
      call.end(error === undefined ? undefined : (whole.err() ?? error), own?.aborted || isCanceled(error));
      cancel();
    };
    const link = linkSignals(whole, own, end);
    try {
      const response = await run(call.ctx, () =>
        send({ ...config, headers, ...redirecting(config, call, settings), signal: link.signal }),
      );
      return received(response, config, call, end);
    } catch (error) {
      // axios makes an error of its own of a signal's, and of a status that is not taken for good.
      const ended = whole.err();
      const { response } = (error ?? {}) as { response?: AxiosResponse };
      if (ended === undefined && response !== undefined) received(response, config, call, end);
      else end(error);
      if (typeof error === "object" && error !== null && "config" in error) error.config = config;
      throw ended ?? error;
    }
  };
  return adapted as unknown as A;
}

/** The head of a response is here. Whoever sends its config again sends what the caller gave. */
function received(
  response: AxiosResponse,
  config: Config,
  call: OutboundCall,
  end: (error?: unknown) => void,
): AxiosResponse {
  call.response(response.status);
  response.config = config;
  followBody(response, end);
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

/**
 * Has each redirect told what may go there, and no more. axios's adapter for `fetch` cannot be asked for that: where it matters it follows
 * none.
 */
function redirecting(config: Config, call: OutboundCall, settings: ClientSettings): Partial<Config> {
  let ours = new Set(call.headers.map(([name]) => name));
  return {
    beforeRedirect(options, ...rest) {
      for (const name of Object.keys(options.headers)) if (ours.has(name.toLowerCase())) delete options.headers[name];
      const next = call.headersFor(new URL(options.href), settings);
      Object.assign(options.headers, Object.fromEntries(next));
      ours = new Set(next.map(([name]) => name));
      config.beforeRedirect?.(options, ...rest);
    },
    ...(settings.isSelective && { fetchOptions: { ...config.fetchOptions, redirect: "manual" } }),
  };
}

/** As axios puts it together. */
function urlOf({ url = "", baseURL, allowAbsoluteUrls }: Config): URL | undefined {
  const isWhole = baseURL === undefined || (allowAbsoluteUrls !== false && /^([a-z][a-z\d+.-]*:)?\/\//i.test(url));
  return URL.parse(isWhole ? url : `${baseURL.replace(/\/+$/, "")}/${url.replace(/^\/+/, "")}`) ?? undefined;
}

/** Tells when the body is over: at once, unless it was asked for as a stream. */
function followBody(response: AxiosResponse, end: (error?: unknown) => void): void {
  const { data } = response;
  if (data instanceof ReadableStream) {
    response.data = watchedBody(data, (ended) => end(ended.how === "failed" ? ended.error : undefined), {
      isDropTold: true,
    }).stream;
  } else if (typeof (data as Readable | null | undefined)?.pipe === "function") {
    finished(data as Readable, (error) => end(error ?? undefined));
  } else {
    end();
  }
}
