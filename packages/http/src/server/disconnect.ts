import { causes } from "../wire/causes.ts";
import { problemOf } from "./problem.ts";

/**
 * Whether an error reports the end of a context, or is an error that this library answers. After its request these
 * errors are expected.
 */
export function isCancellation(error: unknown): boolean {
  for (const each of causes(error)) if (each.name === "AbortError") return true;
  return problemOf(error) !== undefined;
}

/** Error codes of a lost connection, and of the HTTP/1 requests on it. */
const LOST_CONNECTION = new Set(["ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT", "HPE_INVALID_EOF_STATE"]);

export function isLostConnection(code: string): boolean {
  return LOST_CONNECTION.has(code);
}

/** Error codes of streams, and of HTTP/2, when the connection is lost. */
const LOST_STREAM = /^ERR_(?:STREAM_(?:PREMATURE_CLOSE|DESTROYED|UNABLE_TO_PIPE)|HTTP2_\w+)$/;

/**
 * Messages of libraries that set no code. raw-body and multer: "request aborted"; busboy: "Unexpected end of form";
 * undici: "terminated"; `@hono/node-server`: "Client connection prematurely closed.".
 */
const LOST_MESSAGE = /\baborted\b|\bunexpected end of\b|\bpremature close\b|\bprematurely closed\b|^terminated$/i;

/**
 * Whether an error is the consequence of a client that has left. Call it only if the client has left: the loss of
 * another connection, such as one to a database, has the same codes and messages.
 */
export function isDisconnect(error: unknown): boolean {
  for (const each of causes(error)) {
    const { code } = each as { code?: unknown };
    if (typeof code === "string" && (isLostConnection(code) || LOST_STREAM.test(code))) return true;
    if (LOST_MESSAGE.test(each.message)) return true;
  }
  return isCancellation(error);
}
