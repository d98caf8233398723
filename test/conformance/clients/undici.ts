import { contextInterceptor } from "@throughline/fetch";
import * as undici8 from "undici";
import * as undici7 from "undici7";

import type { Client } from "./index.ts";

function through(undici: typeof undici8): Client["make"] {
  return (options, atEnd) => {
    const agent = new undici.Agent();
    atEnd(() => agent.destroy());
    const dispatcher = agent.compose(contextInterceptor(options));
    return async (url, init = {}) => {
      const { statusCode, body } = await undici.request(url, { ...init, method: init.method ?? "GET", dispatcher });
      return { status: statusCode, text: () => body.text() };
    };
  };
}

export const throughUndici8: Client["make"] = through(undici8);
export const throughUndici7: Client["make"] = through(undici7 as unknown as typeof undici8);
