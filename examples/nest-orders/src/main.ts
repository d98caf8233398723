import { createServer } from "node:http";

import { NestFactory } from "@nestjs/core";
import { drain } from "@throughline/http";

import { AppModule } from "./app-module.ts";
import { stockService } from "./stock-service.ts";

// A second process in real life; here one command starts both.
const stock = createServer(stockService()).listen(3101, "127.0.0.1");
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => void drain(stock, { shutdownTimeout: "10s" }));

const app = await NestFactory.create(AppModule);
app.enableShutdownHooks(); // on SIGTERM and SIGINT active requests and jobs may finish
await app.listen(3100);
