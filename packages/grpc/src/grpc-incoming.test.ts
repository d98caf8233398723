import { Metadata } from "@grpc/grpc-js";
import { expect, it } from "vitest";

import { GrpcIncoming } from "./grpc-incoming.ts";

it("a call is described with what every supported version of grpc-js provides", () => {
  const session = { encrypted: true, socket: { remoteAddress: "10.0.0.7" } };
  const call = { getHost: () => "inventory.internal", stream: { session } };
  const incoming = new GrpcIncoming("/shop.Inventory/Stock", new Metadata(), call as never);
  expect(incoming).toMatchObject({
    clientAddress: "10.0.0.7",
    scheme: "https",
    authority: "inventory.internal",
    rpc: { system: "grpc", method: "shop.Inventory/Stock" },
  });
});
