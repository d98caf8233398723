import { type Context } from "@throughline/context";
import { callable, describeValue } from "@throughline/context/internal";
import { type Guard, Unauthenticated } from "@throughline/http";

import { principal, rawToken } from "./principal.ts";
import { secureUrl } from "./secure-url.ts";
import { bindTxnToken, type TxnTokenOptions, txnTokenVerifier } from "./txn-token.ts";

/** Options of the token exchange, and the rules that the received Txn-Token must satisfy. */
export interface TokenExchangeOptions extends TxnTokenOptions {
  /**
   * The token endpoint of the trust domain's Txn-Token service: an `https` URL, or an `http` URL of a loopback host.
   */
  endpoint: string | URL;
  /** The scope of the transaction, at most that of the exchanged token. */
  scope: string | ((ctx: Context) => string);
  /** Returns headers that authenticate this workload. Called for each request. */
  authenticate?: () => Record<string, string> | Promise<Record<string, string>>;
  /** Returns the parameter `request_context`: where the request came from. */
  requestContext?: (ctx: Context) => Record<string, unknown>;
  /** Returns the parameter `request_details`: what the request asks for. */
  requestDetails?: (ctx: Context) => Record<string, unknown>;
  /** The type of the exchanged token. @default "urn:ietf:params:oauth:token-type:access_token" */
  subjectTokenType?: string;
}

/** The Txn-Token service rejected the request, or its response is not valid (500). The message contains no token. */
export class TokenExchangeFailed extends Error {
  override readonly name = "TokenExchangeFailed";
  readonly code = "TOKEN_EXCHANGE_FAILED";
  /** The OAuth error code of the response (RFC 6749, 5.2), if any. */
  readonly error: string | undefined;

  constructor(message: string, error?: string) {
    super(message);
    this.error = error;
  }
}

const TXN_TOKEN = "urn:ietf:params:oauth:token-type:txn_token";

/**
 * Creates a guard for the edge of a trust domain. It exchanges the token of the principal for a Txn-Token (RFC 8693),
 * which calls to other services send instead. It must run after `bearer`.
 *
 * The guard throws `Unauthenticated` if there is no token or the service rejects it, and {@link TokenExchangeFailed}
 * for any other failure of the service.
 *
 * @throws TypeError, RangeError if an option is wrong
 */
export function exchangeToken(options: TokenExchangeOptions): Guard {
  const settings = settingsOf(options);
  const verify = txnTokenVerifier(settings.token, "create a guard");
  return async function exchangeToken({ ctx }) {
    const bound = principal(ctx);
    const token = bound === undefined ? undefined : rawToken(bound);
    if (token === undefined) throw new Unauthenticated("there is no token to exchange");
    const txnToken = await exchange(ctx, token, settings);
    const verified = await verify(txnToken, ctx).catch((error: unknown) => {
      // The received token is not valid. That is a failure of the service, not of the caller.
      throw error instanceof Unauthenticated
        ? new TokenExchangeFailed(`Cannot exchange a token: the response is not a valid Txn-Token: ${error.message}`)
        : error;
    });
    return bindTxnToken(ctx, txnToken, verified);
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
  const action = "create a guard";
  const { endpoint, scope, authenticate, requestContext, requestDetails, subjectTokenType, ...token } = options;
  const url = secureUrl(endpoint, "endpoint", action);
  if (subjectTokenType !== undefined && typeof subjectTokenType !== "string") {
    throw new TypeError(
      `Cannot ${action}: 'subjectTokenType' must be a string; received ${describeValue(subjectTokenType)}`,
    );
  }
  if (typeof scope !== "function" && (typeof scope !== "string" || scope === "")) {
    throw new TypeError(
      `Cannot ${action}: 'scope' must be a string or a function that returns one; received ${describeValue(scope)}`,
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
    // A redirect would disclose the token to another address.
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
    // The caller's own token was rejected.
    if (named === "invalid_grant" || named === "invalid_token") {
      throw new Unauthenticated("the token cannot be exchanged", { challenge: 'Bearer error="invalid_token"' });
    }
    throw new TokenExchangeFailed(
      `Cannot exchange a token: the service responded with ${status}${named === undefined ? "" : ` ${named}`}`,
      named,
    );
  }
  if (typeof token !== "string" || type !== TXN_TOKEN || String(use).toUpperCase() !== "N_A") {
    throw new TokenExchangeFailed("Cannot exchange a token: the response is not a Txn-Token");
  }
  return token;
}
