import { callable, describeValue } from "@throughline/context/internal";
import type { Guard } from "@throughline/http";

/** @throws TypeError if they are no guards */
export function checkedGuards(guards: readonly Guard[]): readonly Guard[] {
  const action = "make a server interceptor";
  if (!Array.isArray(guards)) {
    throw new TypeError(`Cannot ${action}: 'guards' must be a list of functions; received ${describeValue(guards)}`);
  }
  for (const guard of guards) callable("guards", guard, action);
  return guards;
}

/** What to throw where an interceptor is called by another library than its own: what went wrong further in would say nothing of that. */
export function misplaced(side: "client" | "server", library: "@grpc/grpc-js" | "Connect"): TypeError {
  const [other, entry] =
    library === "Connect" ? ["@grpc/grpc-js", "@throughline/grpc"] : ["Connect", "@throughline/grpc/connect"];
  return new TypeError(
    `Cannot intercept a call: this interceptor must be given to a ${side} of ${library}; for ${other} take the one of ${entry}`,
  );
}
