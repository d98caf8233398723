import { once } from "node:events";

import { create, createFileRegistry, type DescService } from "@bufbuild/protobuf";
import { file_google_protobuf_empty, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { serverInterceptor } from "@throughline/grpc/connect";
import { requestContext } from "@throughline/http";
import { describe, expect, it } from "vitest";

import { hosts } from "../hosts/index.ts";
import { serveOn } from "../hosts/serving.ts";
import { dial } from "../support/http-client.ts";
import { cleanUpAfterEach, serve } from "../support/loopback.ts";

cleanUpAfterEach();

const ECHO = createFileRegistry(
  create(FileDescriptorProtoSchema, {
    name: "echo.proto",
    package: "test",
    syntax: "proto3",
    dependency: ["google/protobuf/empty.proto"],
    service: [
      {
        name: "Echo",
        method: [{ name: "Unary", inputType: ".google.protobuf.Empty", outputType: ".google.protobuf.Empty" }],
      },
    ],
  }),
  (name) => (name === "google/protobuf/empty.proto" ? file_google_protobuf_empty : undefined),
).getService("test.Echo") as DescService;

/** Sends these lines and returns the status; 0 if the connection is closed without a response. */
async function statusOf(url: string, ...lines: string[]): Promise<number> {
  const socket = dial(url).setEncoding("latin1");
  let received = "";
  socket.on("data", (chunk: string) => (received += chunk));
  socket.write([...lines, "connection: close", "", ""].join("\r\n"));
  await once(socket, "close");
  return Number(received.split(" ", 2)[1] ?? 0);
}

describe.each(hosts.filter(({ protocol }) => protocol === "http/1.1"))("on $name", (host) => {
  const { serving } = serveOn(host);

  // The server below a fetch handler makes a Request, which fails first.
  const status = host.isFetch ? 500 : 400;

  it.each(["[", "a b", "x:99999", "::1", "<script>"])(
    "does not run the handler of a request whose host is %j",
    async (value) => {
      let isCalled = false;
      const url = await serving(() => ((isCalled = true), "ok"));

      expect([await statusOf(url, `GET ${new URL(url).pathname} HTTP/1.1`, `host: ${value}`), isCalled]).toEqual([
        status,
        false,
      ]);
    },
  );

  it.each(["localhost", "[::1]:80", "a_b.example:8080", "xn--bcher-kva.example"])(
    "runs the handler of a request whose host is %j",
    async (value) => {
      const url = await serving(() => "ok");

      expect(await statusOf(url, `GET ${new URL(url).pathname} HTTP/1.1`, `host: ${value}`)).toBe(200);
    },
  );
});

describe("a handler of Connect behind requestContext", () => {
  it.each([
    ["an invalid host", "POST /test.Echo/Unary HTTP/1.1", "host: [", "content-length: 0"],
    ["an empty host", "POST /test.Echo/Unary HTTP/1.1", "host: ", "content-length: 0"],
    ["no host, as HTTP/1.0 allows", "POST /test.Echo/Unary HTTP/1.0", "content-length: 0"],
  ])("answers 400 to a request with %s", async (_what, ...lines) => {
    const routes = (router: ConnectRouter): void => void router.service(ECHO, { unary: () => ({}) } as never);
    const connect = connectNodeAdapter({ routes, interceptors: [serverInterceptor()] });
    const { url } = await serve(requestContext(connect));

    expect(await statusOf(url, ...lines)).toBe(400);
    expect(await statusOf(url, "GET /none HTTP/1.1", "host: x")).toBe(404);
  });
});

it("rethrows an error of the listener if the host is valid", async () => {
  const thrown = new Error("a bug");
  const listener = requestContext(() => {
    throw thrown;
  });
  const handled = Promise.withResolvers<unknown>();
  const { url } = await serve((req, res) => {
    try {
      void listener(req, res);
    } catch (error) {
      handled.resolve(error);
      res.end();
    }
  });

  expect(await statusOf(url, "GET / HTTP/1.1", "host: x")).toBe(200);
  expect(await handled.promise).toBe(thrown);
});
