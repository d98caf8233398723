import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";

import { contextAdapter } from "@throughline/fetch";
import axios from "axios";

import type { Client } from "./index.ts";

/** Streams the body, so that a call can end during it. */
function through(adapter: "http" | "fetch", read: (body: never) => Promise<string>): Client["make"] {
  return (options) => {
    const client = axios.create({
      adapter: contextAdapter(axios.getAdapter(adapter), options),
      responseType: "stream",
      validateStatus: null,
    });
    return async (url, { body, ...init } = {}) => {
      const { status, data } = await client.request<never>({ url, data: body, ...init });
      return { status, text: () => read(data) };
    };
  };
}

export const throughAxios: Client["make"] = through("http", (body: Readable) => text(body));
export const throughAxiosFetch: Client["make"] = through("fetch", (body: ReadableStream) => new Response(body).text());
