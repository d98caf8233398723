// Messages of NATS have no trace header.
import { headers } from "@nats-io/transport-node";

const { prototype } = headers().constructor;
const { set } = prototype;
prototype.set = function (name, ...rest) {
  if (name !== "traceparent") set.call(this, name, ...rest);
};
