import type { RequestListener } from "node:http";

import { current } from "@throughline/context";
import { requestContext } from "@throughline/http";
import { sleep } from "@throughline/resilience";

import type { Stock } from "./stock-client.ts";
import { tenant } from "./tenant.ts";

/** The other service, without Nest: counts the pieces of an item. Sofas take three seconds. */
export function stockService(): RequestListener {
  return requestContext(
    async (req, res) => {
      const item = decodeURIComponent(req.url!.split("/").at(-1)!);
      if (item === "sofa") await sleep(current(), "3s");
      const of = tenant();
      const stock: Stock = { item, pieces: 7, ...(of === undefined ? {} : { tenant: of }) };
      res.setHeader("content-type", "application/json").end(JSON.stringify(stock));
    },
    { maxTimeout: "5s", trust: { addresses: ["127.0.0.1"] } }, // whose tenant it believes
  );
}
