import { createServer } from "node:http";

import { current } from "@throughline/context";
import { requestContext } from "@throughline/http";

/** Stands for a service of others: it answers after 200 ms with the time that it was given. */
export function startStock(port = 3001) {
  const listener = requestContext((_req, res) => {
    const given = Math.round(current().remaining());
    setTimeout(() => {
      res.setHeader("content-type", "application/json");
      res.end(JSON.stringify({ items: 3, given }));
    }, 200);
  });
  return createServer(listener).listen(port);
}
