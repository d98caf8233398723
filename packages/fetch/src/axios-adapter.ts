import { finished, type Readable } from "node:stream";

import { callable, current, run, withCancel, withTimeout, isSuppressed } from "@throughline/context";
import { type ClientOptions, type ClientSettings, clientSettings, OutboundCall } from "@throughline/http";

import { linkSignals } from "./linked-signal.ts";
import { isTracedElsewhere } from "./traced-elsewhere.ts";
import { watchProgress } from "./undici-progress.ts";
import { watchedBody } from "./watched-body.ts";

/** What an adapter of axios is given, as far as we look at it. */
interface Config {
  readonly url?: string;
  readonly baseURL?: string;
  readonly method?: string;
  readonly headers: { set(name: string, value: string): unknown };
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

  const adapted: Adapter = async (config) => {
    const ctx = current();
    if (isSuppressed(ctx)) return send(config);
    watchProgress();
    const [whole, cancel] =
      settings.timeout === undefined ? withCancel(ctx) : withTimeout(ctx, settings.timeout, { source: "timeout" });
    const outgoing = { method: (config.method ?? "get").toUpperCase(), url: urlOf(config), attempt: 1 };
    const call = OutboundCall.begin(whole, { ...outgoing, isTracedElsewhere: isTracedElsewhere() }, settings);
    for (const [name, value] of call.headers) config.headers.set(name, value);

    const own = config.signal instanceof AbortSignal ? config.signal : undefined;
    // axios makes an error of its own of a signal's.
    const end = (error?: unknown): void => {
      link.release();
      call.end(error === undefined ? undefined : (whole.err() ?? error), own?.aborted);
      cancel();
    };
    const link = linkSignals(whole, own, end);
    try {
      const response = await run(call.ctx, () =>
        send({ ...config, ...redirecting(config, call, settings), signal: link.signal }),
      );
      call.response(response.status);
      followBody(response, end);
      return response;
    } catch (error) {
      const ended = whole.err();
      end(error);
      throw ended ?? error;
    }
  };
  return adapted as unknown as A;
}

/**
 * Has each redirect told what may go there, and no more. axios's adapter for `fetch` cannot be asked for that: where it matters it follows
 * none.
 */
function redirecting(config: Config, call: OutboundCall, settings: ClientSettings): Partial<Config> {
  return {
    beforeRedirect(options, ...rest) {
      const ours = new Set(call.headers.map(([name]) => name));
      for (const name of Object.keys(options.headers)) if (ours.has(name.toLowerCase())) delete options.headers[name];
      Object.assign(options.headers, Object.fromEntries(call.headersFor(new URL(options.href), settings)));
      config.beforeRedirect?.(options, ...rest);
    },
    ...(settings.isSelective && { fetchOptions: { ...config.fetchOptions, redirect: "manual" } }),
  };
}

/** As axios puts it together. */
function urlOf({ url = "", baseURL }: Config): URL | undefined {
  const isWhole = baseURL === undefined || /^([a-z][a-z\d+.-]*:)?\/\//i.test(url);
  return URL.parse(isWhole ? url : `${baseURL.replace(/\/+$/, "")}/${url.replace(/^\/+/, "")}`) ?? undefined;
}

/** Tells when the body is over: at once, unless it was asked for as a stream. */
function followBody(response: AxiosResponse, end: (error?: unknown) => void): void {
  const { data } = response;
  if (data instanceof ReadableStream) {
    response.data = watchedBody(data, (ended) => end(ended.how === "failed" ? ended.error : undefined)).stream;
  } else if (typeof (data as Readable | null | undefined)?.pipe === "function") {
    finished(data as Readable, (error) => end(error ?? undefined));
  } else {
    end();
  }
}
