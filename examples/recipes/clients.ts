// Clients that are not fetch, or that take a fetch. Each ends with the Context, and sends the time that is left.
import { current } from "@throughline/context";
import { createFetch, outboundHeaders } from "@throughline/fetch";
import ky, { type KyInstance } from "ky";
import { type $Fetch, createFetch as createOfetch } from "ofetch";
import OpenAI from "openai";
import superagent from "superagent";

const contextFetch = createFetch();

/** ky takes a fetch. It retries and times out on its own: leave both to the Context. */
export const kyClient: KyInstance = ky.create({ fetch: contextFetch, retry: 0, timeout: false });

/** ofetch takes a fetch, as an instance of its own. */
export const ofetchClient: $Fetch = createOfetch({ fetch: contextFetch, defaults: { retry: 0 } });

/** OpenAI's client takes a fetch; so does Anthropic's. A streaming answer ends with the Context too. */
export function openaiClient(baseURL: string, apiKey: string): OpenAI {
  return new OpenAI({ baseURL, apiKey, fetch: contextFetch, maxRetries: 0 });
}

/** superagent takes neither a fetch nor a signal. */
export async function superagentText(url: string): Promise<string> {
  const ctx = current();
  const request = superagent.get(url).set(outboundHeaders(ctx, url)).retry(0);
  const abort = (): void => void request.abort();
  ctx.signal.addEventListener("abort", abort, { once: true });
  try {
    return (await request).text;
  } catch (error) {
    // superagent reports only that it was aborted.
    ctx.throwIfAborted();
    throw error;
  } finally {
    ctx.signal.removeEventListener("abort", abort);
  }
}
