export { bearer } from "./bearer.ts";
export { exchangeToken, TokenExchangeFailed, type TokenExchangeOptions } from "./exchange-token.ts";
export { type JwtVerifier, jwtVerifier, type JwtVerifierOptions } from "./jwt-verifier.ts";
export { type KeyOptions, type Keys } from "./keys.ts";
export { type Actor, type Principal, principal, rawToken, type Transaction, withPrincipal } from "./principal.ts";
export { requireScope } from "./require-scope.ts";
export { txnToken, type TxnTokenOptions } from "./txn-token.ts";
