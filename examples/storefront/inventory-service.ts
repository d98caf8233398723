import { fileURLToPath } from "node:url";

import { loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

export interface StockRequest {
  readonly query: string;
}

export interface StockReply {
  readonly stock: Readonly<Record<string, number>>;
  readonly stockFor: string;
}

const loaded = loadPackageDefinition(loadSync(fileURLToPath(new URL("inventory.proto", import.meta.url))));

/** The definition of the gRPC service. */
export const Inventory = (loaded["storefront"] as unknown as { Inventory: ServiceClientConstructor }).Inventory;
