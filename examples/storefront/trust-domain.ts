import type { TxnTokenOptions } from "@throughline/identity";

import { addressOf } from "./service.ts";

/** Where identity may go: to the storefront's own services. */
export const OWN_ORIGINS = ["http://127.0.0.1:*"];

/** The tokens that are good between the services, and nowhere else. */
export const TRUST_DOMAIN = "storefront.internal";

/** What such a token must be. */
export function txnTokens(): TxnTokenOptions {
  return { trustDomain: TRUST_DOMAIN, algorithms: ["ES256"], keys: new URL(`${addressOf("tokens")}/keys`) };
}
