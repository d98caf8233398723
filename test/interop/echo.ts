import { credentials, makeClientConstructor, Metadata, Server, ServerCredentials } from "@grpc/grpc-js";
import { clientInterceptor, serverInterceptor } from "@throughline/grpc";

/** The messages are JSON, as in `peer.go` and `peer.py`. */
const serialize = (message: unknown): Buffer => Buffer.from(JSON.stringify(message));
const deserialize = (bytes: Buffer): unknown => JSON.parse(bytes.toString());

const ECHO = {
  Unary: {
    path: "/test.Echo/Unary",
    requestStream: false,
    responseStream: false,
    requestSerialize: serialize,
    requestDeserialize: deserialize,
    responseSerialize: serialize,
    responseDeserialize: deserialize,
  },
};

/** The `grpc-timeout` of each received call. grpc-js removes the header before a handler can read it. */
const timeouts = new WeakMap<Metadata, string>();
const { fromHttp2Headers } = Metadata;
Metadata.fromHttp2Headers = (headers) => {
  const metadata = fromHttp2Headers.call(Metadata, headers);
  timeouts.set(metadata, String(headers["grpc-timeout"] ?? ""));
  return metadata;
};

/** A received call. */
export interface Call {
  readonly message: unknown;
  /** The `grpc-timeout` as the client sent it; empty without one. */
  readonly timeout: string;
  reply(message: unknown): void;
}

/** A running server of the echo service. */
export interface EchoServer extends AsyncDisposable {
  readonly address: string;
}

/** Serves the echo service with Throughline's interceptor. */
export async function serveEcho(handle: (call: Call) => void): Promise<EchoServer> {
  const server = new Server({ interceptors: [serverInterceptor()] });
  server.addService(ECHO, {
    Unary(call: { request: unknown; metadata: Metadata }, callback: (error: null, message: unknown) => void) {
      const reply = (message: unknown): void => callback(null, message);
      handle({ message: call.request, timeout: timeouts.get(call.metadata) ?? "", reply });
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    address: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
    },
  };
}

/** A client of the echo service. */
export interface EchoClient extends Disposable {
  call(message: unknown): Promise<unknown>;
}

const ServiceClient = makeClientConstructor(ECHO, "Echo");

/** Connects to an echo service with Throughline's interceptor. */
export function connectEcho(address: string): EchoClient {
  const client = new ServiceClient(address, credentials.createInsecure(), { interceptors: [clientInterceptor()] });
  const unary = client["Unary"] as (
    message: unknown,
    callback: (error: Error | null, message: unknown) => void,
  ) => unknown;
  return {
    call: (message) =>
      new Promise((resolve, reject) => {
        unary.call(client, message, (error, reply) => (error === null ? resolve(reply) : reject(error)));
      }),
    [Symbol.dispose]: () => client.close(),
  };
}
