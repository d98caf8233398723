import {
  type ChannelOptions,
  type Client,
  credentials,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  makeClientConstructor,
  Server,
  ServerCredentials,
  type ServiceDefinition,
} from "@grpc/grpc-js";

import { clientInterceptor, type GrpcClientOptions } from "./client-interceptor.ts";
import { type GrpcServerOptions, serverInterceptor } from "./server-interceptor.ts";

/** A message: any JSON value. */
type Message = unknown;

const serialize = (message: Message): Buffer => Buffer.from(JSON.stringify(message ?? null));
const deserialize = (bytes: Buffer): Message => JSON.parse(bytes.toString()) as Message;

function method(name: string, requestStream: boolean, responseStream: boolean): object {
  return {
    path: `/test.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: serialize,
    requestDeserialize: deserialize,
    responseSerialize: serialize,
    responseDeserialize: deserialize,
  };
}

/** A service with the four kinds of call. */
export const ECHO: ServiceDefinition = {
  Unary: method("Unary", false, false),
  ServerStream: method("ServerStream", false, true),
  ClientStream: method("ClientStream", true, false),
  Bidi: method("Bidi", true, true),
} as unknown as ServiceDefinition;

export interface Handlers {
  Unary?: handleUnaryCall<Message, Message>;
  ServerStream?: handleServerStreamingCall<Message, Message>;
  ClientStream?: handleClientStreamingCall<Message, Message>;
  Bidi?: handleBidiStreamingCall<Message, Message>;
}

export interface Served extends AsyncDisposable {
  readonly address: string;
  readonly server: Server;
}

/** @param options of the interceptor; `null` for a server without it */
export async function serveEcho(handlers: Handlers, options: GrpcServerOptions | null = {}): Promise<Served> {
  const server = new Server({ interceptors: options === null ? [] : [serverInterceptor(options)] });
  server.addService(ECHO, handlers as never);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    address: `127.0.0.1:${port}`,
    server,
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
    },
  };
}

const EchoClient = makeClientConstructor(ECHO, "Echo");

/** @param options of the interceptor; `null` for a client without it */
export function clientOf(
  address: string,
  options: GrpcClientOptions | null = {},
  channel: ChannelOptions = {},
): EchoCalls {
  const interceptors = options === null ? [] : [clientInterceptor(options)];
  return new EchoCalls(new EchoClient(address, credentials.createInsecure(), { ...channel, interceptors }));
}

type Raw = Client & Record<string, (...args: never[]) => never>;

/** The four kinds of call. Each returns a promise of all messages received. */
export class EchoCalls implements Disposable {
  readonly client: Client;

  constructor(client: Client) {
    this.client = client;
  }

  unary(message: Message, options: object = {}, metadata = new Metadata()): Promise<Message> {
    return new Promise((resolve, reject) => {
      const call = (this.client as Raw)["Unary"] as unknown as (...args: unknown[]) => void;
      call.call(this.client, message, metadata, options, (error: Error | null, reply: Message) =>
        error === null ? resolve(reply) : reject(error),
      );
    });
  }

  async serverStream(message: Message, options: object = {}): Promise<Message[]> {
    const call = (this.client as Raw)["ServerStream"] as unknown as (...args: unknown[]) => AsyncIterable<Message>;
    return collect(call.call(this.client, message, options));
  }

  clientStream(messages: readonly Message[], options: object = {}): Promise<Message> {
    return new Promise((resolve, reject) => {
      const call = (this.client as Raw)["ClientStream"] as unknown as (...args: unknown[]) => NodeJS.WritableStream;
      const stream = call.call(this.client, options, (error: Error | null, reply: Message) =>
        error === null ? resolve(reply) : reject(error),
      );
      for (const message of messages) stream.write(message as never);
      stream.end();
    });
  }

  async bidi(messages: readonly Message[], options: object = {}): Promise<Message[]> {
    const call = (this.client as Raw)["Bidi"] as unknown as (
      ...args: unknown[]
    ) => NodeJS.WritableStream & AsyncIterable<Message>;
    const stream = call.call(this.client, options);
    for (const message of messages) stream.write(message as never);
    stream.end();
    return collect(stream);
  }

  [Symbol.dispose](): void {
    this.client.close();
  }
}

async function collect(messages: AsyncIterable<Message>): Promise<Message[]> {
  const all: Message[] = [];
  for await (const message of messages) all.push(message);
  return all;
}
