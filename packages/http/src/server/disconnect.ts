import { causes } from "../causes.ts";
import { problemOf } from "./problem.ts";

/** Whether an error is about the end of a context, or is one that we answer: nothing that the application has to hear of once its request is over. */
export function isCancellation(error: unknown): boolean {
  for (const each of causes(error)) if (each.name === "AbortError") return true;
  return problemOf(error) !== undefined;
}

/** Codes of errors that reading a request, or writing a response, fails with when the connection is lost. */
const LOST =
  /^(?:ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|HPE_INVALID_EOF_STATE|ERR_STREAM_(?:PREMATURE_CLOSE|DESTROYED|UNABLE_TO_PIPE)|ERR_HTTP2_\w+)$/;

/**
 * Body parsers have words of their own: raw-body and multer "request aborted", busboy "Unexpected end of form"; and so have undici, "terminated", and
 * @hono/node-server, "Client connection prematurely closed.".
 */
const LOST_IN_WORDS = /\baborted\b|\bunexpected end of\b|\bpremature close\b|\bprematurely closed\b|^terminated$/i;

/** Whether an error comes of a client that has gone. Asked only where it has: of another connection errors say the same. */
export function isDisconnect(error: unknown): boolean {
  for (const each of causes(error)) {
    const { code } = each as { code?: unknown };
    if ((typeof code === "string" && LOST.test(code)) || LOST_IN_WORDS.test(each.message)) return true;
  }
  return isCancellation(error);
}
