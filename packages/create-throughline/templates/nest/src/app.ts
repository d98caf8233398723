import "reflect-metadata";
import { BadGatewayException, Controller, Get, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { createFetch } from "@throughline/fetch";
import { ContextModule } from "@throughline/nest";

const fetch = createFetch(); // sends the time left and the trace; stops with the request

/** Starts the service. `stock` is the address of the service that it calls. */
export async function start(port = 3000, stock = "http://localhost:3001") {
  @Controller("search")
  class SearchController {
    @Get()
    async search() {
      const response = await fetch(`${stock}/stock`);
      if (!response.ok) throw new BadGatewayException();
      return response.json();
    }
  }

  // A Context for each request; answers 504 at its deadline.
  @Module({ imports: [ContextModule.forRoot({ maxTimeout: "2s" })], controllers: [SearchController] })
  class AppModule {}

  const app = await NestFactory.create(AppModule, { logger: ["error", "warn"] });
  await app.listen(port);
  return { server: app.getHttpServer(), stop: () => app.close() }; // drains as it closes
}
