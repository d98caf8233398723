// A task of Piscina.
import { run } from "@throughline/context";
import { fromWire } from "@throughline/messages";
import { sleep } from "@throughline/resilience";

export default async function task({ wire, ms, spin, port }) {
  const [ctx, cancel] = fromWire(wire, port === undefined ? {} : { port });
  try {
    if (spin) for (const until = Date.now() + ms; Date.now() < until;);
    else await run(ctx, () => sleep(ctx, ms));
    return { code: "ok", left: ctx.remaining() };
  } catch (error) {
    return { code: error.code, cause: error.cause?.name };
  } finally {
    cancel();
  }
}
