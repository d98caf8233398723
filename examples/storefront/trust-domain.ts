import type { TxnTokenOptions } from "@throughline/identity";

import { addressOf } from "./service.ts";

/** The origins that identity is sent to: the storefront's own services. */
export const OWN_ORIGINS = ["http://127.0.0.1:*"];

/** The trust domain of the Txn-Tokens, which only the services accept. */
export const TRUST_DOMAIN = "storefront.internal";

/** How the services verify a Txn-Token. */
export function txnTokens(): TxnTokenOptions {
  return { trustDomain: TRUST_DOMAIN, algorithms: ["ES256"], keys: new URL(`${addressOf("tokens")}/keys`) };
}
