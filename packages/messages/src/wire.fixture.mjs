// Receives messages in a worker thread, a child process or a worker of a cluster, and answers them.
import { parentPort } from "node:worker_threads";

import { createKey, current, traceId } from "@throughline/context";
import { criticality, propagateValue, textCodec } from "@throughline/http";
import { receive } from "@throughline/messages";
import { sleep } from "@throughline/resilience";

const tenant = createKey("tenant");
propagateValue(tenant, { name: "wire-tenant", codec: textCodec, maxBytes: 64 });
const basket = createKey("basket");

const port = parentPort ?? process;
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- workers have no target origin
const answer = (message) => (parentPort === null ? process.send(message) : parentPort.postMessage(message));

receive(
  port,
  async (ctx, { id, ms, wire, ignores }) => {
    const from = performance.now();
    const seen = {
      isCurrent: current() === ctx,
      traceId: traceId(ctx),
      criticality: criticality(ctx),
      tenant: ctx.value(tenant),
      basket: ctx.value(basket),
      off: wire?.deadline === undefined ? undefined : Date.now() + ctx.remaining() - wire.deadline,
    };
    answer({ id, began: true });
    let error;
    try {
      await sleep(ctx, ms);
    } catch (caught) {
      error = caught;
    }
    const { cause, code } = error ?? {};
    answer({ id, ...seen, code, took: performance.now() - from, cause: cause?.name, status: error?.statusCode });
    if (ignores && error !== undefined) throw error;
  },
  { keys: [basket] },
);
answer({ ready: true });
