import { Module } from "@nestjs/common";
import { ScheduleModule } from "@nestjs/schedule";
import { ContextModule } from "@throughline/nest";

import { OrdersController } from "./orders-controller.ts";
import { RestockJob } from "./restock-job.ts";
import { STOCK_ORIGIN, StockClient } from "./stock-client.ts";

@Module({
  imports: [ContextModule.forRoot({ maxTimeout: "10s", defaultTimeout: "1s" }), ScheduleModule.forRoot()],
  controllers: [OrdersController],
  providers: [
    { provide: STOCK_ORIGIN, useFactory: () => process.env["STOCK_ORIGIN"] ?? "http://127.0.0.1:3101" },
    StockClient,
    RestockJob,
  ],
})
export class AppModule {}
