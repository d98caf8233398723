import { type Context } from "@throughline/context";
import { callable, describeValue } from "@throughline/context/internal";
import { type Guard, Unauthenticated } from "@throughline/http";

import { principal, rawToken } from "./principal.ts";
import { secureUrl } from "./secure-url.ts";
import { bindTxnToken, type TxnTokenOptions, txnTokenVerifier } from "./txn-token.ts";

/** How a token is exchanged, and what the Txn-Token that comes of it must be. */
export interface TokenExchangeOptions extends TxnTokenOptions {
  /** The token endpoint of the trust domain's Txn-Token service. It must be reached in a way that proves who it is: `https`, or loopback. */
  endpoint: string | URL;
  /** What the transaction may do: no more than the token that is exchanged. */
  scope: string | ((ctx: Context) => string);
  /** Headers that prove which workload asks, made for each request. */
  authenticate?: () => Record<string, string> | Promise<Record<string, string>>;
  /** What the service is told of where the request came from. */
  requestContext?: (ctx: Context) => Record<string, unknown>;
  /** What the service is told of what is asked for. */
  requestDetails?: (ctx: Context) => Record<string, unknown>;
  /** @default "urn:ietf:params:oauth:token-type:access_token" */
  subjectTokenType?: string;
}

/** The Txn-Token service has refused, or cannot be understood. It says nothing of the token. */
export class TokenExchangeFailed extends Error {
  override readonly name = "TokenExchangeFailed";
  readonly code = "TOKEN_EXCHANGE_FAILED";
  /** The error of OAuth (RFC 6749, 5.2), if it named one. */
  readonly error: string | undefined;

  constructor(message: string, error?: string) {
    super(message);
    this.error = error;
  }
}

const TXN_TOKEN = "urn:ietf:params:oauth:token-type:txn_token";

/**
 * A guard for the edge of a trust domain: it exchanges the token that has proved the principal for a Txn-Token (RFC 8693), which goes along with all calls
 * from here on in its place. Goes after `bearer`.
 *
 * @throws TypeError if an option is wrong
 */
export function exchangeToken(options: TokenExchangeOptions): Guard {
  const settings = settingsOf(options);
  const verify = txnTokenVerifier(settings.token, "make a guard");
  return async function exchangeToken({ ctx }) {
    const who = principal(ctx);
    const token = who === undefined ? undefined : rawToken(who);
    if (token === undefined) throw new Unauthenticated("there is no token to exchange");
    const txnToken = await exchange(ctx, token, settings);
    const proved = await verify(txnToken, ctx).catch((error: unknown) => {
      // It is not the caller's token that does not hold.
      throw error instanceof Unauthenticated
        ? new TokenExchangeFailed(`Cannot exchange a token: what came is not one: ${error.message}`)
        : error;
    });
    return bindTxnToken(ctx, txnToken, proved);
  };
}

interface Settings extends Pick<
  TokenExchangeOptions,
  "scope" | "authenticate" | "requestContext" | "requestDetails" | "fetch"
> {
  readonly endpoint: URL;
  readonly subjectTokenType: string;
  readonly token: TxnTokenOptions;
}

function settingsOf(options: TokenExchangeOptions): Settings {
  const action = "make a guard";
  const { endpoint, scope, authenticate, requestContext, requestDetails, subjectTokenType, ...token } = options;
  const url = secureUrl(endpoint, "endpoint", action);
  if (subjectTokenType !== undefined && typeof subjectTokenType !== "string") {
    throw new TypeError(
      `Cannot ${action}: 'subjectTokenType' must be a string; received ${describeValue(subjectTokenType)}`,
    );
  }
  if (typeof scope !== "function" && (typeof scope !== "string" || scope === "")) {
    throw new TypeError(
      `Cannot ${action}: 'scope' must be a string, or a function that gives one; received ${describeValue(scope)}`,
    );
  }
  for (const [name, value] of Object.entries({ authenticate, requestContext, requestDetails, fetch: token.fetch })) {
    if (value !== undefined) callable(name, value, action);
  }
  return {
    endpoint: url,
    scope,
    subjectTokenType: subjectTokenType ?? "urn:ietf:params:oauth:token-type:access_token",
    token,
    ...(authenticate && { authenticate }),
    ...(requestContext && { requestContext }),
    ...(requestDetails && { requestDetails }),
    ...(token.fetch && { fetch: token.fetch }),
  };
}

async function exchange(ctx: Context, subjectToken: string, settings: Settings): Promise<string> {
  const { scope, subjectTokenType, requestContext, requestDetails, token } = settings;
  const body = new URLSearchParams({
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    requested_token_type: TXN_TOKEN,
    audience: token.trustDomain,
    scope: typeof scope === "function" ? scope(ctx) : scope,
    subject_token: subjectToken,
    subject_token_type: subjectTokenType,
    ...(requestContext && { request_context: JSON.stringify(requestContext(ctx)) }),
    ...(requestDetails && { request_details: JSON.stringify(requestDetails(ctx)) }),
  });
  const send = settings.fetch ?? globalThis.fetch;
  const response = await send(settings.endpoint, {
    method: "POST",
    body,
    headers: { accept: "application/json", ...(await settings.authenticate?.()) },
    // Another address would be told the token.
    redirect: "error",
    signal: ctx.signal,
  });
  const answer: unknown = await response.json().catch(() => undefined);
  ctx.throwIfAborted();
  return tokenIn(response.status, answer);
}

function tokenIn(status: number, answer: unknown): string {
  const {
    error,
    access_token: token,
    issued_token_type: type,
    token_type: use,
  } = (answer ?? {}) as Record<string, unknown>;
  if (status !== 200) {
    const named = typeof error === "string" && /^[\x20-\x7e]{1,64}$/.test(error) ? error : undefined;
    // What is wrong with the caller's own token is the caller's to mend.
    if (named === "invalid_grant" || named === "invalid_token") {
      throw new Unauthenticated("the token cannot be exchanged", { challenge: 'Bearer error="invalid_token"' });
    }
    throw new TokenExchangeFailed(
      `Cannot exchange a token: the service answered ${status}${named === undefined ? "" : ` ${named}`}`,
      named,
    );
  }
  if (typeof token !== "string" || type !== TXN_TOKEN || String(use).toUpperCase() !== "N_A") {
    throw new TokenExchangeFailed(
      "Cannot exchange a token: the service answered with something other than a Txn-Token",
    );
  }
  return token;
}
