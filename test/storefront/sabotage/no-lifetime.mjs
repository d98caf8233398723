// Messages of NATS must be processed within 300 ms, as if they had the deadline of their request.
import { headers } from "@nats-io/transport-node";

const { prototype } = headers().constructor;
const { set } = prototype;
prototype.set = function (name, value, ...rest) {
  set.call(this, name, name === "throughline-deadline" ? String(Date.now() + 300) : value, ...rest);
};
