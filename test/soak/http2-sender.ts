import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";

import { Call, type Sender, type Wanted } from "./call.ts";

/** Requests per session before it is replaced, so that the server must also release sessions. */
const MOST = 400;

/** The error code of resets. Node's server keeps a stream that is reset with `NO_ERROR` during a response. */
const RESET = constants.NGHTTP2_CANCEL;

/** A session that several senders share. */
export class SharedSession {
  readonly #port: number;
  #session: ClientHttp2Session | undefined;
  #used = 0;

  constructor(port: number) {
    this.#port = port;
  }

  get(): ClientHttp2Session {
    const known = this.#session;
    this.#used += 1;
    if (known !== undefined && !known.closed && !known.destroyed && this.#used < MOST) return known;
    // Not at once: the server would refuse streams that it has not seen yet.
    if (known !== undefined) setTimeout(() => known.close(), 1000);
    this.#used = 0;
    this.#session = connect(`http://127.0.0.1:${this.#port}`);
    // The streams report the same error.
    return this.#session.on("error", () => {});
  }

  close(): void {
    this.#session?.close();
  }
}

export class Http2Sender implements Sender {
  readonly #shared: SharedSession;

  constructor(shared: SharedSession) {
    this.#shared = shared;
  }

  send({ path, headers, upload }: Wanted): Call {
    const session = this.#shared.get();
    const method = upload === undefined ? "GET" : "POST";
    const stream = session.request(
      { ...headers, ":path": path, ":method": method },
      { endStream: upload === undefined },
    );
    const isSent = upload?.sent === upload?.announced;
    if (upload !== undefined) stream[isSent ? "end" : "write"]("x".repeat(upload.sent));
    return new Http2Call(stream, session, isSent);
  }

  close(): void {
    this.#shared.close();
  }
}

/** Sessions that a client has reset together with all their streams. */
const abandoned = new WeakSet<ClientHttp2Session>();

class Http2Call extends Call {
  protected readonly resetShare = 0.02;
  readonly #stream: ClientHttp2Stream;
  readonly #session: ClientHttp2Session;

  constructor(stream: ClientHttp2Stream, session: ClientHttp2Session, isSent: boolean) {
    super();
    this.#stream = stream;
    this.#session = session;
    let status = 0;
    let isWhole = false;
    stream.on("response", (headers) => void (status = headers[":status"] ?? 0));
    stream.on("data", () => this.onData?.());
    stream.on("end", () => {
      isWhole = true;
      if (isSent || status === 0) return;
      // The server waits for the rest of the upload, which is never sent.
      this.settle(`${status}`);
      stream.close(RESET);
    });
    stream.on("error", () => {});
    stream.on("close", () => {
      if (isWhole && status !== 0 && stream.rstCode === constants.NGHTTP2_NO_ERROR) this.settle(`${status}`);
      else this.settle(abandoned.has(session) ? "session lost" : "aborted");
    });
  }

  pause(): void {
    if (!this.isOver) this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  protected abandon(isReset: boolean): void {
    if (!isReset) return this.#stream.close(RESET);
    abandoned.add(this.#session);
    this.#session.destroy(new Error("left"), RESET);
  }
}
