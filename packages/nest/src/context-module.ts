import {
  type DynamicModule,
  Inject,
  type InjectionToken,
  type MiddlewareConsumer,
  Module,
  type ModuleMetadata,
  type NestModule,
  type OnModuleDestroy,
  type OptionalFactoryDependency,
} from "@nestjs/common";
import { APP_INTERCEPTOR, ApplicationConfig, HttpAdapterHost, ModulesContainer } from "@nestjs/core";
import type { Duration } from "@throughline/context";
import { milliseconds } from "@throughline/context/internal";
import { requestContext as fastifyContext } from "@throughline/fastify";
import { drain, type DrainableServer, type ServerOptions } from "@throughline/http";

import { ContextExceptionFilter } from "./context-exception-filter.ts";
import { ContextInterceptor } from "./context-interceptor.ts";
import { drainEntries } from "./entry-context.ts";
import { type Middleware, outermostContext } from "./request-context.ts";

/** Options of {@link ContextModule}. */
export interface ContextModuleOptions extends ServerOptions {
  /**
   * How long active requests and entries may continue when the application closes; 10 seconds by default. After this
   * time they are canceled, have half a second to finish, and requests are then cut off.
   */
  shutdownTimeout?: Duration;
  /**
   * Whether the module answers the errors of this library; `true` by default. With `false`, they go to the filters of
   * the application, which may extend {@link ContextExceptionFilter}.
   */
  answerErrors?: boolean;
}

/** Options of {@link ContextModule} that other providers supply. */
export interface ContextModuleAsyncOptions extends Pick<ModuleMetadata, "imports"> {
  inject?: (InjectionToken | OptionalFactoryDependency)[];
  useFactory: (...dependencies: never[]) => ContextModuleOptions | Promise<ContextModuleOptions>;
}

const OPTIONS = Symbol("@throughline/nest options");
const DEFAULT_SHUTDOWN_TIMEOUT = "10s";

/**
 * Nest module that gives each request its own Context, on Express and on Fastify. It is `current()` in guards,
 * interceptors, pipes and handlers. The Context ends at the caller's deadline or the limit of the server, when the
 * client leaves, and when the response is sent. A request whose deadline has passed on arrival is answered 504, and one
 * with a malformed deadline 400; no handler runs.
 *
 * The module adds a middleware before all others, an exception filter for the errors of this library before all other
 * global filters, and an interceptor that enters the context of a guard. When the application closes, also by
 * `enableShutdownHooks`, it drains the server. Import it once, in the root module.
 */
export class ContextModule implements NestModule, OnModuleDestroy {
  readonly #options: ServerOptions;
  readonly #middleware: Middleware;
  readonly #host: HttpAdapterHost;
  readonly #modules: ModulesContainer;
  readonly #config: ApplicationConfig;
  readonly #shutdownMs: number;
  readonly #answerErrors: boolean;
  #isBound = false;

  /** @throws TypeError, RangeError while the application is created, if an option is invalid */
  static forRoot(options: ContextModuleOptions = {}): DynamicModule {
    return moduleWith({ provide: OPTIONS, useValue: options });
  }

  /** As {@link ContextModule.forRoot}, with options that other providers supply. */
  static forRootAsync({ imports = [], inject = [], useFactory }: ContextModuleAsyncOptions): DynamicModule {
    return { ...moduleWith({ provide: OPTIONS, inject, useFactory: useFactory as () => unknown }), imports };
  }

  /** Called by Nest. */
  constructor(
    options: ContextModuleOptions,
    host: HttpAdapterHost,
    modules: ModulesContainer,
    config: ApplicationConfig,
  ) {
    const { shutdownTimeout = DEFAULT_SHUTDOWN_TIMEOUT, answerErrors = true, ...rest } = options;
    this.#shutdownMs = milliseconds(shutdownTimeout, "make a request context", "shutdownTimeout");
    this.#options = rest;
    // Here, because it throws for an invalid option, which rxjs would report as an uncaught exception.
    this.#middleware = outermostContext(rest);
    this.#host = host;
    this.#modules = modules;
    this.#config = config;
    this.#answerErrors = answerErrors;
    // Tests create the adapter after the modules. It calls back before Nest adds its body parsers.
    host.init$?.subscribe(() => this.#bind());
  }

  /** Called by Nest. */
  configure(_consumer: MiddlewareConsumer): void {
    this.#bind();
    // The last global filter is asked first. One for all errors, which many applications have, would answer 500.
    if (this.#answerErrors) this.#config.useGlobalFilters(new ContextExceptionFilter());
  }

  /** Called by Nest. */
  async onModuleDestroy(): Promise<void> {
    await this.#drain();
  }

  #bind(): void {
    // An application without HTTP, such as a microservice, has no adapter.
    const adapter = this.#host.httpAdapter as HttpAdapterHost["httpAdapter"] | undefined;
    if (!adapter || this.#isBound) return;
    this.#isBound = true;
    if (adapter.getType() === "fastify") {
      // Called, and not registered, so that its hooks come before those of Nest.
      void fastifyContext(adapter.getInstance(), {
        ...this.#options,
        shutdownTimeout: this.#shutdownMs,
        answerErrors: this.#answerErrors,
      });
    } else adapter.use(this.#middleware);
    // Nest 12 calls it first when the application closes, before any `onModuleDestroy`, where providers close the
    // connections that active requests need. Nest 11 does not call it.
    const beforeClose = adapter.beforeClose?.bind(adapter);
    adapter.beforeClose = async () => {
      await (beforeClose?.() as unknown);
      await this.#drain();
    };
  }

  async #drain(): Promise<void> {
    const server = this.#host.httpAdapter?.getHttpServer?.() as DrainableServer | undefined;
    const shutdownTimeout = this.#shutdownMs;
    await Promise.all([
      typeof server?.close === "function" ? drain(server, { shutdownTimeout }) : undefined,
      drainEntries(this.#instances(), shutdownTimeout),
    ]);
  }

  /** The providers and controllers of this application. Other applications may run in the same process. */
  #instances(): Set<unknown> {
    const instances = new Set<unknown>();
    for (const { providers, controllers } of this.#modules.values()) {
      for (const wrappers of [providers, controllers])
        for (const { instance } of wrappers.values()) instances.add(instance);
    }
    return instances;
  }
}

// Applied as functions: Node runs this file as it is, and it does not know the syntax of decorators.
Module({})(ContextModule);
Inject(OPTIONS)(ContextModule, undefined, 0);
Inject(HttpAdapterHost)(ContextModule, undefined, 1);
Inject(ModulesContainer)(ContextModule, undefined, 2);
Inject(ApplicationConfig)(ContextModule, undefined, 3);

function moduleWith(options: NonNullable<DynamicModule["providers"]>[number]): DynamicModule {
  return {
    module: ContextModule,
    providers: [options, { provide: APP_INTERCEPTOR, useClass: ContextInterceptor }],
  };
}
