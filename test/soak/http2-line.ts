import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";

import { Call, type Line, type Wanted } from "./call.ts";

/** How many requests go over a session before it is replaced: sessions must be let go of too. */
const MOST = 400;

/** What streams are reset with: to `NO_ERROR`, in the middle of a response, Node's server does not know what to do, and keeps the stream. */
const RESET = constants.NGHTTP2_CANCEL;

/** A session that several lines send over at the same time. */
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
    // Not at once: what the server has not seen yet it would refuse.
    if (known !== undefined) setTimeout(() => known.close(), 1000);
    this.#used = 0;
    this.#session = connect(`http://127.0.0.1:${this.#port}`);
    // Its streams tell of it too.
    return this.#session.on("error", () => {});
  }

  close(): void {
    this.#session?.close();
  }
}

export class Http2Line implements Line {
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

/** Sessions that a client has reset under all that went over them. */
const abandoned = new WeakSet<ClientHttp2Session>();

class Http2Call extends Call {
  protected readonly harshness = 0.02;
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
      // The server waits for the rest of the upload, which will not come.
      this.settle(`${status}`);
      stream.close(RESET);
    });
    stream.on("error", () => {});
    stream.on("close", () => {
      if (isWhole && status !== 0 && stream.rstCode === constants.NGHTTP2_NO_ERROR) this.settle(`${status}`);
      else this.settle(abandoned.has(session) ? "taken along" : "cut off");
    });
  }

  pause(): void {
    if (!this.isOver) this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  protected abandon(isHarsh: boolean): void {
    if (!isHarsh) return this.#stream.close(RESET);
    abandoned.add(this.#session);
    this.#session.destroy(new Error("left"), RESET);
  }
}
