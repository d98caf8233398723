import { once } from "node:events";
import http2 from "node:http2";

import type { Attempt } from "../conformance/spellings.ts";
import { dial } from "./dial.ts";

/** Sends a head with these lines as they are, and gives the answer's head and body in one, after its status. */
export async function sendStrange(
  protocol: "http/1.1" | "http/2",
  url: string,
  lines: Attempt["lines"],
): Promise<{ status: number; answer: string }> {
  return protocol === "http/2" ? overHttp2(url, lines) : overHttp1(url, lines);
}

async function overHttp1(url: string, lines: Attempt["lines"]): Promise<{ status: number; answer: string }> {
  const { pathname, search, host } = new URL(url);
  const head = [`GET ${pathname}${search} HTTP/1.1`, `host: ${host}`, "connection: close"];
  const socket = dial(url);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  const request = [...head, ...lines.map(([name, value]) => `${name}: ${value}`), "", ""].join("\r\n");
  socket.write(Buffer.from(request, "latin1"));
  await once(socket, "close");
  const answer = Buffer.concat(chunks).toString();
  return { status: Number(answer.split(" ", 2)[1]), answer };
}

async function overHttp2(url: string, lines: Attempt["lines"]): Promise<{ status: number; answer: string }> {
  const { origin, pathname, search } = new URL(url);
  const session = http2.connect(origin, { rejectUnauthorized: false });
  const headers: Record<string, string[]> = {};
  for (const [name, value] of lines) (headers[name.toLowerCase()] ??= []).push(value);
  try {
    const stream = session.request({ ":path": pathname + search, ...headers }).setEncoding("utf8");
    const [head] = (await once(stream, "response")) as [http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader];
    const answer = (await stream.toArray()).join("");
    return { status: head[":status"]!, answer: `${head["content-type"]}\n${answer}` };
  } finally {
    session.close();
  }
}
