// Hides client disconnects: `close` listeners of an unfinished response are not called, nor, on Node 22, those of its
// connection.
import { Server, ServerResponse } from "node:http";
import { Socket } from "node:net";

for (const method of ["on", "once", "prependListener", "addListener"]) {
  const listen = ServerResponse.prototype[method];
  ServerResponse.prototype[method] = function (event, listener) {
    return listen.call(this, event, event === "close" ? () => this.writableFinished && listener() : listener);
  };
}

const { once } = Socket.prototype;
Socket.prototype.once = function (event, listener) {
  return event === "close" && this.server instanceof Server ? this : once.call(this, event, listener);
};
