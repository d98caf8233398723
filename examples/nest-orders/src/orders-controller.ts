import { Controller, Get, Inject, NotFoundException, Param, UseGuards, UseInterceptors } from "@nestjs/common";
import type { Context } from "@throughline/context";
import { CurrentContext, guard } from "@throughline/nest";

import { RequestLog } from "./request-log.ts";
import { type Stock, StockClient } from "./stock-client.ts";
import { tenantGuard } from "./tenant.ts";

const ORDERS: ReadonlyMap<string, string> = new Map([
  ["1", "lamp"],
  ["2", "sofa"],
]);

export interface OrderAnswer {
  readonly order: string;
  readonly stock: Stock;
  readonly timeLeft: number;
}

@Controller("orders")
@UseGuards(guard(tenantGuard))
@UseInterceptors(RequestLog)
export class OrdersController {
  readonly #stock: StockClient;

  constructor(@Inject(StockClient) stock: StockClient) {
    this.#stock = stock;
  }

  @Get(":order")
  async find(@Param("order") order: string, @CurrentContext() ctx: Context): Promise<OrderAnswer> {
    const item = ORDERS.get(order);
    if (item === undefined) throw new NotFoundException();
    const stock = await this.#stock.of(item);
    return { order, stock, timeLeft: Math.round(ctx.remaining()) };
  }
}
