const HEAD_END = "\r\n\r\n";
const LAST_CHUNK = "0\r\n\r\n";

/** Finds where answers of HTTP/1.1 end. Bodies in chunks must not look like the end of one: those of this test are all `x`. */
export class AnswerReader {
  /** Of the answer that is being read, or was read last. */
  status = 0;
  /** Whether the server has said that it closes the connection. */
  isLast = false;
  #unread = "";
  /** Bytes of the body that are still to come, if they were announced; `undefined` between answers. */
  #body: number | "chunked" | undefined;

  /** Takes what has come, and returns how many answers are whole with it. */
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
