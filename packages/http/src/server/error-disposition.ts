import { causes } from "../wire/causes.ts";
import { problemOf } from "./problem.ts";

/** Whether an error is about the end of a context, or is one that we answer: nothing that the application has to hear of once its request is over. */
export function isCancellation(error: unknown): boolean {
  for (const each of causes(error)) if (each.name === "AbortError") return true;
  return problemOf(error) !== undefined;
}

/** Codes of errors that a connection, and so a request of HTTP/1, fails with when its client is lost. */
const LOST_CONNECTION = new Set(["ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT", "HPE_INVALID_EOF_STATE"]);

export function isLostConnection(code: string): boolean {
  return LOST_CONNECTION.has(code);
}

/** Codes of errors that streams and HTTP/2 fail with then. */
const LOST_STREAM = /^ERR_(?:STREAM_(?:PREMATURE_CLOSE|DESTROYED|UNABLE_TO_PIPE)|HTTP2_\w+)$/;

/**
 * Body parsers have words of their own: raw-body and multer "request aborted", busboy "Unexpected end of form"; and so have undici, "terminated", and
 * @hono/node-server, "Client connection prematurely closed.".
 */
const LOST_IN_WORDS = /\baborted\b|\bunexpected end of\b|\bpremature close\b|\bprematurely closed\b|^terminated$/i;

/** Whether an error comes of a client that has gone. Asked only where it has: of another connection errors say the same. */
export function isDisconnect(error: unknown): boolean {
  for (const each of causes(error)) {
    const { code } = each as { code?: unknown };
    if (typeof code === "string" && (isLostConnection(code) || LOST_STREAM.test(code))) return true;
    if (LOST_IN_WORDS.test(each.message)) return true;
  }
  return isCancellation(error);
}
