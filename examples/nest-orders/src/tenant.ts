import { createKey, current, withValue } from "@throughline/context";
import { propagateValue, textCodec } from "@throughline/http";
import { type Guard, Unauthenticated } from "@throughline/nest";

const tenantKey = createKey<string>("tenant");
propagateValue(tenantKey, { name: "tenant", codec: textCodec, maxBytes: 64 }); // also known to the services behind

/** Binds the tenant of the request to its Context; rejects a request without one. */
export const tenantGuard: Guard = ({ ctx, headers }) => {
  const tenant = headers.get("x-tenant"); // a real service verifies a token: see @throughline/identity
  if (typeof tenant !== "string") throw new Unauthenticated();
  return withValue(ctx, tenantKey, tenant);
};

/** Returns the tenant of the current request. */
export function tenant(): string | undefined {
  return current().value(tenantKey);
}
