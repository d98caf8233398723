// Servers read ten times the budget of each request, so nothing is canceled in time.
import { Server } from "node:http";

const { emit } = Server.prototype;
Server.prototype.emit = function (event, request, ...rest) {
  const timeout = event === "request" && request.headers["grpc-timeout"];
  if (timeout) request.headers["grpc-timeout"] = timeout.replace(/(\d+)m/, (_, ms) => `${ms * 10}m`);
  return emit.call(this, event, request, ...rest);
};
