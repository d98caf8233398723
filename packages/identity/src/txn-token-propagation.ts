import { type Context, createKey, withValue } from "@throughline/context";
import { propagateIdentity } from "@throughline/http/adapter";

/** A Txn-Token that calls to other services send as it was received. */
interface SentTxnToken {
  readonly token: string;
  /** When it expires, in milliseconds since the epoch. It is not sent after that. */
  readonly until: number;
}

const txnTokenKey = createKey<SentTxnToken>("Txn-Token");

// The header is removed from each request on arrival; only a guard that verifies it can read it.
propagateIdentity(txnTokenKey, {
  name: "txn-token",
  maxBytes: 8192,
  codec: {
    encode: ({ token, until }) => (until > Date.now() ? token : undefined),
    decode: () => undefined,
  },
});

/** A context whose calls send the token. */
export function withTxnToken(ctx: Context, token: string, until: Date): Context {
  return withValue(ctx, txnTokenKey, { token, until: until.getTime() });
}

/** A context whose calls send no Txn-Token: a token belongs to the principal that it proved. */
export function withoutTxnToken(ctx: Context): Context {
  return ctx.value(txnTokenKey) === undefined ? ctx : ctx.deleteValue(txnTokenKey);
}
