import { Inject, Injectable, Logger } from "@nestjs/common";
import { Cron, CronExpression } from "@nestjs/schedule";
import { EntryContext } from "@throughline/nest";

import { StockClient } from "./stock-client.ts";

/** Reports items that are sold out, every hour. */
@Injectable()
export class RestockJob {
  readonly #logger = new Logger(RestockJob.name);
  readonly #stock: StockClient;

  constructor(@Inject(StockClient) stock: StockClient) {
    this.#stock = stock;
  }

  @Cron(CronExpression.EVERY_HOUR, { name: "restock" })
  @EntryContext({ timeout: "5s" }) // no request calls this method: it opens a Context of its own
  async run(): Promise<void> {
    const { item, pieces } = await this.#stock.of("lamp");
    this.#logger.log(pieces === 0 ? `order more of ${item}` : `${pieces} pieces of ${item} are left`);
  }
}
