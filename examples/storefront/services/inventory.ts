import { Server, type sendUnaryData, ServerCredentials, type ServerUnaryCall } from "@grpc/grpc-js";
import { current } from "@throughline/context";
import { drain, serverInterceptor, statusOf } from "@throughline/grpc";
import { principal, requireScope, txnToken } from "@throughline/identity";
import { guard, requestContext } from "@throughline/koa";
import Koa from "koa";

import { Inventory, type StockReply, type StockRequest } from "../inventory-service.ts";
import { findProducts, workFor } from "../products.ts";
import { start } from "../service.ts";
import { openStock } from "../stock.ts";
import { txnTokens } from "../trust-domain.ts";

const stock = await openStock(process.env["DATABASE_URL"]);
const guards = [txnToken(txnTokens()), requireScope("inventory:read")];

async function stockOf(query: string): Promise<StockReply> {
  const ids = findProducts(query).map(({ id }) => id);
  const pieces = await stock.of(current(), ids, workFor(query, "inventory"));
  return { stock: pieces, stockFor: principal()?.subject ?? "" };
}

// HTTP, to try by hand.
const app = new Koa();
app.use(requestContext({ maxTimeout: "5s" }));
for (const each of guards) app.use(guard(each));
app.use(async (koa) => {
  koa.body = await stockOf(String(koa.query["q"]));
});

// gRPC, which search calls.
const grpc = new Server({ interceptors: [serverInterceptor({ maxTimeout: "5s", guards })] });
grpc.addService(Inventory.service, {
  Stock({ request }: ServerUnaryCall<StockRequest, StockReply>, callback: sendUnaryData<StockReply>) {
    stockOf(request.query).then(
      (reply) => callback(null, reply),
      (error: unknown) => callback(statusOf(error) ?? (error as Error)),
    );
  },
});
const port = await new Promise<number>((resolve, reject) => {
  grpc.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
    error === null ? resolve(bound) : reject(error),
  );
});

await start("inventory", app.callback(), {
  addresses: { grpc: `127.0.0.1:${port}` },
  drain: (shutdownTimeout) => drain(grpc, { shutdownTimeout }),
  close: () => stock.close(),
});
