import { type Context, createKey, withValue } from "@throughline/context";
import { propagateIdentity } from "@throughline/http/adapter";

/** A token that is sent on as it was received, while it holds. */
interface Carried {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

const carriedKey = createKey<Carried>("Txn-Token");

/** The header is taken away from each request, and is only seen by whoever verifies it. */
propagateIdentity(carriedKey, {
  name: "txn-token",
  maxBytes: 8192,
  codec: {
    encode: ({ token, until }) => (until > Date.now() ? token : undefined),
    decode: () => undefined,
  },
});

/** A context whose calls take the token along. */
export function carryToken(ctx: Context, token: string, until: Date): Context {
  return withValue(ctx, carriedKey, { token, until: until.getTime() });
}

/** A context whose calls take none along: what has proved one principal says nothing of another. */
export function withoutToken(ctx: Context): Context {
  return ctx.value(carriedKey) === undefined ? ctx : ctx.deleteValue(carriedKey);
}
