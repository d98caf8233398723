// Runs in an edge runtime. The test calls its exports.
import { background, current, run, traceId, withCancel, withSignal, withTimeout } from "@throughline/context";
import { createFetch, outboundHeaders, requestContext } from "@throughline/fetch";
import { requestContext as honoContext } from "@throughline/hono";
import { Hono } from "hono";

const contextFetch = createFetch();

/** Calls a URL with a deadline. Returns the body, or the error, and whether it is that of the context. */
export async function call(url: string, ms: number): Promise<{ body?: string; error?: string; isOwn?: boolean }> {
  const [ctx, cancel] = withTimeout(background, ms);
  try {
    const response = await run(ctx, () => contextFetch(url));
    return { body: await response.text() };
  } catch (error) {
    return { error: (error as Error).name, isOwn: error === ctx.err() };
  } finally {
    cancel();
  }
}

/** The headers for clients that are no fetch. */
export function headers(ms: number): Record<string, string> {
  const [ctx, cancel] = withTimeout(background, ms);
  const sent = outboundHeaders(ctx, "https://items.example");
  cancel();
  return sent;
}

/** Whether a context ends with a signal. */
export function endsWithSignal(): boolean {
  const controller = new AbortController();
  const [followed] = withSignal(background, controller.signal);
  const [ctx, cancel] = withCancel(followed);
  const { signal } = ctx;
  controller.abort();
  cancel();
  return signal.aborted && followed.err() !== undefined;
}

/** A fetch handler, as an edge function exports one. */
const handler = requestContext(
  async (request: Request) => {
    if (request.url.endsWith("/stuck")) await new Promise(() => {});
    await Promise.resolve();
    const seen = { left: current().remaining(), trace: traceId() };
    if (!request.url.endsWith("/next")) return Response.json(seen);
    return contextFetch(request.headers.get("next")!);
  },
  { maxTimeout: "2s" },
);

/** Calls the handler. */
export async function serve(
  path: string,
  requestHeaders: Record<string, string>,
): Promise<{ status: number; body: string }> {
  const response = await handler(new Request(`https://edge.example${path}`, { headers: requestHeaders }));
  return { status: response.status, body: await response.text() };
}

const app = new Hono();
app.use(honoContext({ maxTimeout: "2s" }));
app.get("/", (hono) => hono.json({ left: current().remaining() }));

/** Calls an application of Hono. */
export async function serveHono(requestHeaders: Record<string, string>): Promise<{ status: number; body: string }> {
  const response = await app.fetch(new Request("https://edge.example/", { headers: requestHeaders }));
  return { status: response.status, body: await response.text() };
}

/** Calls a function above by its name, over HTTP: for runtimes in processes of their own. */
export default {
  async fetch(request: Request): Promise<Response> {
    const { name, args } = (await request.json()) as { name: keyof typeof functions; args: [] };
    const fn = functions[name] as (...args: unknown[]) => unknown;
    return Response.json(await fn(...args));
  },
};

const functions = { call, headers, endsWithSignal, serve, serveHono };
