import { connect, type Socket } from "node:net";

import { ResponseReader } from "../support/response-reader.ts";
import { Call, type Sender, type Wanted } from "./call.ts";

/**
 * Sends requests over HTTP/1.1 on a plain socket, because an HTTP client would use more CPU time than the server under test.
 * Keeps the connection while possible.
 */
export class Http1Sender implements Sender {
  readonly #port: number;
  #connection: Connection | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  send(wanted: Wanted): Call {
    if (this.#connection?.isUsable !== true) this.#connection = new Connection(this.#port);
    return this.#connection.send(wanted);
  }

  close(): void {
    this.#connection?.socket.destroy();
  }
}

class Connection {
  readonly socket: Socket;
  readonly reader = new ResponseReader();
  /** Whether another request may be sent. */
  isUsable = true;
  #call: Http1Call | undefined;

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1").setNoDelay();
    this.socket.on("data", (chunk) => this.#call?.read(chunk));
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.isUsable = false;
      this.#call?.settle("aborted");
    });
  }

  send(wanted: Wanted): Call {
    this.#call = new Http1Call(this, wanted);
    this.socket.write(textOf(wanted).repeat(wanted.times));
    return this.#call;
  }
}

class Http1Call extends Call {
  protected readonly resetShare = 0.5;
  readonly #connection: Connection;
  readonly #wanted: Wanted;
  #missing: number;

  constructor(connection: Connection, wanted: Wanted) {
    super();
    this.#connection = connection;
    this.#wanted = wanted;
    this.#missing = wanted.times;
  }

  read(chunk: Buffer): void {
    if (this.isOver) return;
    const { reader } = this.#connection;
    this.#missing -= reader.read(chunk);
    this.onData?.();
    if (this.#missing > 0 || this.isOver) return;
    const { upload } = this.#wanted;
    const isSent = upload === undefined || upload.sent === upload.announced;
    if (!isSent) this.#connection.socket.destroy();
    if (!isSent || reader.isLast) this.#connection.isUsable = false;
    this.settle(`${reader.status}`);
  }

  pause(): void {
    if (!this.isOver) this.#connection.socket.pause();
  }

  resume(): void {
    this.#connection.socket.resume();
  }

  protected abandon(isReset: boolean): void {
    const { socket } = this.#connection;
    this.#connection.isUsable = false;
    if (isReset && !socket.connecting) socket.resetAndDestroy();
    else socket.destroy();
  }
}

function textOf({ path, headers, upload }: Wanted): string {
  let head = `${upload === undefined ? "GET" : "POST"} ${path} HTTP/1.1\r\nhost: soak\r\n`;
  for (const [name, value] of Object.entries(headers)) head += `${name}: ${value}\r\n`;
  if (upload === undefined) return `${head}\r\n`;
  return `${head}content-length: ${upload.announced}\r\n\r\n${"x".repeat(upload.sent)}`;
}
