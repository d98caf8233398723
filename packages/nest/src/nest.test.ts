import type http from "node:http";
import type { AddressInfo } from "node:net";

import {
  type ArgumentsHost,
  Catch,
  Controller,
  Get,
  HttpException,
  type INestApplication,
  Injectable,
  type LoggerService,
  type MiddlewareConsumer,
  Module,
  type OnModuleDestroy,
  Post,
  Body,
  UseGuards,
  UseInterceptors,
} from "@nestjs/common";
import { type AbstractHttpAdapter, NestFactory } from "@nestjs/core";
import { ExpressAdapter } from "@nestjs/platform-express";
import { FastifyAdapter } from "@nestjs/platform-fastify";
import { Cron, ScheduleModule } from "@nestjs/schedule";
import { Test } from "@nestjs/testing";
import {
  type Context,
  createKey,
  current,
  DeadlineExceeded,
  run,
  withCancel,
  withTimeout,
  background,
  withValue,
} from "@throughline/context";
import { ClientDisconnected, Forbidden, ServerDraining, Unauthenticated } from "@throughline/http";
import { sleep } from "@throughline/resilience";
import { recordSpans } from "@throughline/test/support/spans.ts";
import { openRequest } from "@throughline/testing";
import { map, of } from "rxjs";
import { afterEach, describe, expect, it, vi } from "vitest";

import { ContextModule, CurrentContext, EntryContext, guard, requestContext } from "./index.ts";

const tenantKey = createKey<string>("tenant");

class Log implements LoggerService {
  readonly errors: unknown[] = [];
  log(): void {}
  warn(): void {}
  error(message: unknown): void {
    this.errors.push(message);
  }
}

const opened: INestApplication[] = [];
afterEach(async () => {
  for (const app of opened.splice(0)) await app.close();
});

/** Starts an application with @nestjs/testing, and gives its address and all errors that Nest logs. */
async function start(
  module: new () => object,
  adapter: AbstractHttpAdapter,
  configure: (app: INestApplication) => void = () => {},
): Promise<{ app: INestApplication; url: string; log: Log }> {
  const log = new Log();
  const testing = await Test.createTestingModule({ imports: [module] })
    .setLogger(log)
    .compile();
  const app = testing.createNestApplication(adapter, { logger: log });
  configure(app);
  opened.push(app);
  await app.listen(0, "127.0.0.1");
  const { port } = (app.getHttpServer() as http.Server).address() as AddressInfo;
  return { app, url: `http://127.0.0.1:${port}`, log };
}

async function ask(url: string, init?: RequestInit): Promise<[number, unknown]> {
  const response = await fetch(url, init);
  const text = await response.text();
  return [response.status, text.startsWith("{") ? JSON.parse(text) : text];
}

@Controller()
class Errors {
  @Get("deadline")
  async deadline(): Promise<void> {
    await sleep(withTimeout(current(), 5)[0], "10s");
  }

  @Get("cause")
  cause(): never {
    throw new Error("the query failed", { cause: new DeadlineExceeded() });
  }

  @Get("forbidden")
  forbidden(): never {
    throw new Forbidden();
  }

  @Get("late")
  async late(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 80));
    current().throwIfAborted();
  }

  @Get("bug")
  bug(): never {
    throw new Error("a bug");
  }

  @Get("teapot")
  teapot(): never {
    throw new HttpException("a teapot", 418);
  }
}

@Module({ imports: [ContextModule.forRoot({ maxTimeout: 50 })], controllers: [Errors] })
class ErrorsModule {}

@Controller("items")
@UseGuards(guard(({ ctx, headers }) => withValue(ctx, tenantKey, String(headers.get("x-tenant")))))
class Items {
  @Get("tenant")
  @UseGuards(
    guard(({ ctx }) => {
      if (ctx.value(tenantKey) !== "acme" || current() !== ctx) throw new Unauthenticated();
    }),
  )
  @UseInterceptors({
    intercept: (_execution, next) => next.handle().pipe(map((value) => `${current().value(tenantKey)}, ${value}`)),
  })
  tenant(@CurrentContext() ctx: Context): string {
    return `${ctx.value(tenantKey)}, ${ctx === current()}`;
  }

  @Post("body")
  body(@Body() body: unknown): object {
    return { body, tenant: current().value(tenantKey) };
  }

  @Get(["less", "more"])
  left(): string {
    return String(current().remaining());
  }
}

@Module({
  imports: [ContextModule.forRootAsync({ useFactory: async () => ({ maxTimeout: "2s" }) })],
  controllers: [Items],
})
class ItemsModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(requestContext({ maxTimeout: "500ms" })).forRoutes("items/less");
    consumer.apply(requestContext({ maxTimeout: "1h" })).forRoutes("items/more");
  }
}

describe.each<[string, () => AbstractHttpAdapter]>([
  ["Express", () => new ExpressAdapter()],
  ["Fastify", () => new FastifyAdapter()],
])("over %s", (adapterName, adapterOf) => {
  it.each([
    ["deadline", 504],
    ["cause", 504],
    ["forbidden", 403],
    ["late", 504],
  ])("answers %s with %i, and Nest logs no error", async (path, status) => {
    const { url, log } = await start(ErrorsModule, adapterOf());
    const response = await fetch(`${url}/${path}`);

    expect([response.status, await response.json()]).toMatchObject([status, { status }]);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(log.errors).toEqual([]);
  });

  it("leaves all other errors to Nest", async () => {
    const { url, log } = await start(ErrorsModule, adapterOf());
    expect(await ask(`${url}/teapot`)).toMatchObject([418, { message: "a teapot" }]);
    expect(await ask(`${url}/bug`)).toMatchObject([500, { statusCode: 500 }]);
    expect(log.errors).toEqual([expect.objectContaining({ message: "a bug" })]);
  });

  it("answers before a global filter for all errors, which gets the others", async () => {
    const seen: unknown[] = [];
    @Catch()
    class All {
      catch(error: unknown, host: ArgumentsHost): void {
        seen.push(error);
        host
          .switchToHttp()
          .getResponse<{ status(code: number): { send(body: string): void } }>()
          .status(500)
          .send("own");
      }
    }
    const { url } = await start(ErrorsModule, adapterOf(), (app) => void app.useGlobalFilters(new All()));

    expect((await ask(`${url}/deadline`))[0]).toBe(504);
    expect(await ask(`${url}/bug`)).toEqual([500, "own"]);
    expect(seen).toEqual([expect.objectContaining({ message: "a bug" })]);
  });

  it("with `answerErrors: false` the application's filters get the errors of this library", async () => {
    @Module({ imports: [ContextModule.forRoot({ answerErrors: false })], controllers: [Errors] })
    class Own {}
    @Catch(Forbidden)
    class OwnFilter {
      catch(_error: unknown, host: ArgumentsHost): void {
        host
          .switchToHttp()
          .getResponse<{ status(code: number): { send(body: string): void } }>()
          .status(403)
          .send("own");
      }
    }
    const { url } = await start(Own, adapterOf(), (app) => void app.useGlobalFilters(new OwnFilter()));
    expect(await ask(`${url}/forbidden`)).toEqual([403, "own"]);
  });

  it("guards are Nest guards: later guards, the interceptors and the handler run in their context", async () => {
    const { url } = await start(ItemsModule, adapterOf());
    expect(await ask(`${url}/items/tenant`, { headers: { "x-tenant": "acme" } })).toEqual([200, "acme, acme, true"]);
    expect(await ask(`${url}/items/tenant`, { headers: { "x-tenant": "other" } })).toMatchObject([
      401,
      { status: 401 },
    ]);
  });

  it("the context is current after the body parser", async () => {
    const { url } = await start(ItemsModule, adapterOf());
    const headers = { "x-tenant": "acme", "content-type": "application/json" };
    const init = { method: "POST", headers, body: '{"a":1}' };
    expect(await ask(`${url}/items/body`, init)).toEqual([201, { body: { a: 1 }, tenant: "acme" }]);
  });

  it("`requestContext` as a middleware of some routes shortens the deadline, and never extends it", async () => {
    const { url } = await start(ItemsModule, adapterOf());
    const left = async (path: string): Promise<number> =>
      Number((await ask(`${url}/items/${path}`, { headers: { "x-tenant": "acme" } }))[1]);
    expect(await left("less")).toBeLessThanOrEqual(500);
    expect(await left("more")).toBeLessThanOrEqual(2000);
  });

  it("an invalid option fails the start", async () => {
    @Module({ imports: [ContextModule.forRoot({ maxTimeout: "later" as "1s" })] })
    class Invalid {}
    await expect(start(Invalid, adapterOf())).rejects.toThrow("'maxTimeout'");
    await expect(NestFactory.create(Invalid, adapterOf(), { logger: false, abortOnError: false })).rejects.toThrow(
      "'maxTimeout'",
    );
  });

  describe("when the application closes", () => {
    /** A service that a provider of the application needs until it is destroyed. */
    async function closing(shutdownTimeout: number) {
      const [running, finish] = [Promise.withResolvers<Context>(), Promise.withResolvers<string>()];
      const events: string[] = [];
      @Injectable()
      class Database implements OnModuleDestroy {
        onModuleDestroy(): void {
          events.push("the database is closed");
        }
      }
      @Controller()
      class Slow {
        @Get()
        async slow(): Promise<string> {
          const ctx = current();
          running.resolve(ctx);
          const result = await Promise.race([finish.promise, sleep(ctx, "1h")]);
          events.push("the handler has finished");
          return String(result);
        }
      }
      @Module({ imports: [ContextModule.forRoot({ shutdownTimeout })], controllers: [Slow], providers: [Database] })
      class SlowModule {}
      const { app, url } = await start(SlowModule, adapterOf());
      const reply = ask(url);
      return { app, reply, events, ctx: await running.promise, finish: finish.resolve };
    }

    it("waits for active requests before any provider is destroyed", async () => {
      const { app, reply, events, finish } = await closing(10_000);
      const closed = app.close();
      setTimeout(() => finish("finished"), 20);

      expect(await reply).toEqual([200, "finished"]);
      await closed;
      expect(events).toEqual(["the handler has finished", "the database is closed"]);
    });

    it("cancels the requests that are active after `shutdownTimeout`", async () => {
      const { app, reply, ctx } = await closing(20);
      const closed = app.close();

      expect(await reply).toMatchObject([503, { title: "Server draining" }]);
      expect(ctx.cause()).toBeInstanceOf(ServerDraining);
      await closed;
    });

    it("drains on a signal, with `enableShutdownHooks`", async () => {
      const { app, reply } = await closing(20);
      const kill = vi.spyOn(process, "kill").mockReturnValue(true);
      app.enableShutdownHooks(["SIGUSR2"]);
      process.emit("SIGUSR2", "SIGUSR2");

      expect((await reply)[0]).toBe(503);
      await vi.waitUntil(() => kill.mock.calls.length > 0);
      kill.mockRestore();
    });
  });

  it("ends the context when the client leaves, and Nest logs nothing", async () => {
    const [running, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<unknown>()];
    @Controller()
    class Slow {
      @Get()
      async slow(): Promise<void> {
        const ctx = current();
        running.resolve();
        await sleep(ctx, "10s").finally(() => ended.resolve(ctx.cause()));
      }
    }
    @Module({ imports: [ContextModule.forRoot()], controllers: [Slow] })
    class SlowModule {}
    const { url, log } = await start(SlowModule, adapterOf());
    const { leave } = await openRequest(url);
    await running.promise;
    leave();

    expect(await ended.promise).toBeInstanceOf(ClientDisconnected);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(log.errors).toEqual([]);
  });

  describe("with an SDK", () => {
    const spans = recordSpans();

    it("the span has the route, with the global prefix, and the application's own error", async () => {
      @Controller("bugs")
      class Bugs {
        @Get(":id")
        bug(): never {
          throw new RangeError("a bug");
        }
      }
      @Module({ imports: [ContextModule.forRoot()], controllers: [Bugs] })
      class BugsModule {}
      const { url } = await start(BugsModule, adapterOf(), (app) => void app.setGlobalPrefix("api"));
      await ask(`${url}/api/bugs/7`);
      await ask(`${url}/nothing`);

      const [found, missing] = await spans.take(2);
      expect(found!.name).toBe("GET /api/bugs/:id");
      expect(found!.attributes).toMatchObject({ "http.response.status_code": 500, "error.type": "RangeError" });
      expect([missing!.name, missing!.attributes["http.route"]]).toEqual(["GET", undefined]);
    });
  });

  it(`serves ${adapterName} without @nestjs/testing too`, async () => {
    const app = await NestFactory.create(ItemsModule, adapterOf(), { logger: false });
    opened.push(app);
    await app.listen(0, "127.0.0.1");
    const { port } = (app.getHttpServer() as http.Server).address() as AddressInfo;
    const [status, left] = await ask(`http://127.0.0.1:${port}/items/less`, { headers: { "x-tenant": "acme" } });
    expect([status, Number(left) <= 500]).toEqual([200, true]);
  });
});

describe("EntryContext", () => {
  it.each([
    ["above", "Above"],
    ["below", "Below"],
  ] as const)("%s @Cron opens a context for each call", async (_where, which) => {
    const seen: Context[] = [];
    const entry = EntryContext({ timeout: "30s" });
    class Above {
      @entry
      @Cron("* * * * * *")
      async tick(): Promise<void> {
        seen.push(current());
      }
    }
    class Below {
      @Cron("* * * * * *")
      @entry
      async tick(): Promise<void> {
        seen.push(current());
      }
    }
    @Module({ imports: [ScheduleModule.forRoot(), ContextModule.forRoot()], providers: [{ Above, Below }[which]] })
    class Jobs {}
    const app = await NestFactory.createApplicationContext(Jobs, { logger: false });
    await vi.waitUntil(() => seen.length > 0, { timeout: 5000 });
    await app.close();

    const [ctx] = seen;
    expect([ctx!.remaining() > 20_000, ctx!.remaining() <= 30_000]).toEqual([true, true]);
    await vi.waitUntil(() => ctx!.err());
  });

  class Jobs {
    @EntryContext({ timeout: 20 })
    async slow(): Promise<void> {
      await sleep(current(), "10s");
    }

    @EntryContext()
    detached(): Context {
      return current();
    }

    @EntryContext()
    async later(): Promise<Context> {
      await null;
      return current();
    }

    @EntryContext({ timeout: "30s" })
    stream() {
      const ctx = current();
      return of(1).pipe(map(() => ctx));
    }

    @EntryContext()
    failing(): never {
      throw new RangeError("a bug");
    }
  }

  it("the deadline ends a call", async () => {
    await expect(new Jobs().slow()).rejects.toThrow(DeadlineExceeded);
  });

  it("a call does not end with its caller's context, and keeps its values", () => {
    const [caller, cancel] = withCancel(withValue(background, tenantKey, "acme"));
    cancel();
    const ctx = run(caller, () => new Jobs().detached());
    expect(ctx.value(tenantKey)).toBe("acme");
    expect(ctx.cause()).not.toBe(caller.cause());
  });

  it("the context ends with the call: when its promise settles, its stream completes, or it throws", async () => {
    const jobs = new Jobs();
    const ctx = await jobs.later();
    expect(ctx.err()).toBeDefined();

    const seen: (Error | undefined)[] = [];
    const ofStream = await new Promise<Context>((resolve) => {
      jobs.stream().subscribe((each) => (seen.push(each.err()), resolve(each)));
    });
    expect([seen, ofStream.err()]).toEqual([[undefined], expect.any(Error)]);
    expect(() => jobs.failing()).toThrow(RangeError);
  });

  it("closing the application waits for active calls, and cancels them after `shutdownTimeout`", async () => {
    const causes: unknown[] = [];
    @Injectable()
    class Work {
      @EntryContext()
      async run(): Promise<void> {
        const ctx = current();
        await sleep(ctx, "1h").finally(() => causes.push(ctx.cause()));
      }
    }
    @Module({ imports: [ContextModule.forRoot({ shutdownTimeout: 20 })], providers: [Work] })
    class WorkModule {}
    const app = await NestFactory.createApplicationContext(WorkModule, { logger: false });
    const outside = new Work().run();
    const running = app.get(Work).run();
    running.catch(() => {});
    outside.catch(() => {});
    await app.close();

    expect(causes).toEqual([expect.any(ServerDraining)]);
  });

  it.each([
    [{ timeout: "later" }, /'timeout'/],
    [{ limit: "1s" }, /there is no option 'limit'/],
  ])("refuses %j", (options, message) => {
    expect(() => EntryContext(options as { timeout: "1s" })).toThrow(message);
  });
});

it.each([
  ["a message handler", "rpc", [{}]],
  ["a gateway", "ws", [{}]],
])("a guard refuses %s, which has no HTTP request", async (_what, type, args) => {
  const execution = { getType: () => type, getArgByIndex: (index: number) => args[index] };
  await expect(guard(() => {}).canActivate(execution as never)).rejects.toThrow(/it needs an HTTP request/);
});
