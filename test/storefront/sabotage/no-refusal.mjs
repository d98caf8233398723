// Servers read a budget of 5 ms as one second.
import { Server } from "node:http";

const { emit } = Server.prototype;
Server.prototype.emit = function (event, request, ...rest) {
  if (event === "request" && request.headers["grpc-timeout"] === "5m") request.headers["grpc-timeout"] = "1S";
  return emit.call(this, event, request, ...rest);
};
