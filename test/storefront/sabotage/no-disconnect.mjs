// The end of a connection is not heard of: nobody gets to listen to a response's `close`.
import { ServerResponse } from "node:http";

for (const method of ["on", "once", "prependListener", "addListener"]) {
  const listen = ServerResponse.prototype[method];
  ServerResponse.prototype[method] = function (event, listener) {
    return listen.call(this, event, event === "close" ? () => this.writableFinished && listener() : listener);
  };
}
