const HEAD_END = "\r\n\r\n";
const LAST_CHUNK = "0\r\n\r\n";

/**
 * Finds the ends of HTTP/1.1 responses. The content of a chunked body must not look like its last chunk; the bodies of
 * these tests are all `x`.
 */
export class ResponseReader {
  /** Status of the current or last response. */
  status = 0;
  /** Whether a response has announced that the server closes the connection. */
  isLast = false;
  #unread = "";
  /** The missing bytes of the body, if the length is known; `undefined` between responses. */
  #body: number | "chunked" | undefined;

  /** Reads a chunk and returns how many responses it completes. */
  read(chunk: Buffer): number {
    this.#unread += chunk.toString("latin1");
    let count = 0;
    while (this.#readHead() && this.#readBody()) count += 1;
    return count;
  }

  #readHead(): boolean {
    if (this.#body !== undefined) return true;
    const end = this.#unread.indexOf(HEAD_END);
    if (end === -1) return false;
    const head = this.#unread.slice(0, end).toLowerCase();
    this.#unread = this.#unread.slice(end + HEAD_END.length);
    this.status = Number(head.slice(9, 12));
    this.isLast ||= head.includes("\r\nconnection: close");
    const length = /\r\ncontent-length: (\d+)/.exec(head);
    this.#body = length === null ? "chunked" : Number(length[1]);
    return true;
  }

  #readBody(): boolean {
    if (this.#body === "chunked") {
      const end = this.#unread.indexOf(LAST_CHUNK);
      if (end === -1) this.#unread = this.#unread.slice(1 - LAST_CHUNK.length);
      else this.#unread = this.#unread.slice(end + LAST_CHUNK.length);
      if (end === -1) return false;
    } else {
      const length = Math.min(this.#body!, this.#unread.length);
      this.#unread = this.#unread.slice(length);
      this.#body! -= length;
      if (this.#body! > 0) return false;
    }
    this.#body = undefined;
    return true;
  }
}
