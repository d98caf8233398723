// A route handler, in Node.
import { afterFunc, current } from "@throughline/context";
import { requestContext, setRoute } from "@throughline/fetch";

export const GET = requestContext(async (_request, { params }) => {
  setRoute("/items/[id]");
  const { id } = await params;
  const ctx = current();
  afterFunc(ctx, () => console.log(`item ${id} ended: ${ctx.err().name}`));
  if (id === "slow") await new Promise(() => {}); // a handler that ignores its context
  return Response.json({ id, left: ctx.remaining() });
});
