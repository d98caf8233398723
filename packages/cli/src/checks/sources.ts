import type { Finding } from "../finding.ts";
import { dependsOn, imports, lineOf, type Project, type SourceFile } from "../project.ts";

/** A framework with a package of this library. */
interface HostPackage {
  readonly adapter: string;
  /** What of the package gives requests their Context. */
  readonly use: string;
  /** Where it belongs. */
  readonly place: string;
  /** Other packages that may be used in its place. */
  readonly alternatives?: readonly string[];
}

const FIRST = "before all routes";

const HOSTS: Record<string, HostPackage> = {
  express: { adapter: "@throughline/express", use: "requestContext()", place: FIRST },
  koa: { adapter: "@throughline/koa", use: "requestContext()", place: FIRST },
  "@grpc/grpc-js": { adapter: "@throughline/grpc", use: "serverInterceptor()", place: "to the interceptors" },
  fastify: { adapter: "@throughline/fastify", use: "requestContext", place: "as the first plugin" },
  hono: {
    adapter: "@throughline/hono",
    use: "requestContext()",
    place: FIRST,
    alternatives: ["@throughline/fetch"],
  },
  "@nestjs/core": {
    adapter: "@throughline/nest",
    use: "ContextModule.forRoot()",
    place: "to the imports of the root module",
    alternatives: ["@throughline/express", "@throughline/fastify"],
  },
};

/** The creation of an application by one of them. */
const CREATES_HOST = /\bexpress\s*\(\s*\)|\bnew\s+(?:Koa|Hono|Server)\b|\bNestFactory\b|\b[Ff]astify\s*\(/;

/** Database drivers with a subpath of `@throughline/drivers`. */
const DRIVERS: Record<string, string> = {
  ioredis: "ioredis",
  knex: "knex",
  kysely: "kysely",
  mariadb: "mariadb",
  mongodb: "mongodb",
  mysql2: "mysql2",
  pg: "pg",
  postgres: "postgres",
  redis: "redis",
};

/** Files that import one of these run in a server. */
const SERVERS = /^@(?:throughline|koa|hono|nestjs|fastify|grpc)\/|^(?:express|koa|fastify|hono|h3|restify|polka)$/;

/** A variable, a function, a parameter or an import with the name `fetch`. */
const DECLARES_FETCH = /\bfetch\s*=(?!=)|function\s+fetch\b|[(,{]\s*fetch\s*[,:)?}]|import\b[^;"]*\bfetch\b/;

/** Middleware and its order, calls without a deadline, and drivers. */
export function checkSources(project: Project): Finding[] {
  return [
    ...checkHosts(project),
    ...project.sources.flatMap(checkOrder),
    ...checkCalls(project),
    ...checkDrivers(project),
  ];
}

function checkHosts(project: Project): Finding[] {
  const findings: Finding[] = [];
  for (const [host, { adapter, use, place, alternatives = [] }] of Object.entries(HOSTS)) {
    const users = project.sources.filter((source) => imports(source, host));
    if (users.length === 0 || !(host in (project.manifest.dependencies ?? {}))) continue;
    const adapters = [adapter, ...alternatives];
    const isUsed = project.sources.some(
      (source) =>
        adapters.some((each) => imports(source, each)) &&
        /\b(?:requestContext|serverInterceptor|ContextModule)\b/.test(source.code),
    );
    if (isUsed) continue;
    // A program that uses gRPC may be a client only.
    if (host === "@grpc/grpc-js" && !users.some(({ code }) => /\bnew\s+(?:\w+\.)?Server\b/.test(code))) continue;
    findings.push({
      check: "middleware",
      severity: "warning",
      message: `${host} receives requests without ${use}: they have no Context, and no deadline.`,
      // Other files may import its types only.
      where: (users.find(({ code }) => CREATES_HOST.test(code)) ?? users[0]!).path,
      remedy: dependsOn(project, adapter)
        ? `Add ${use} of ${adapter} ${place}.`
        : `npm install ${adapter}, and add ${use} ${place}.`,
    });
  }
  return findings;
}

/** The order of middleware, for every variable that `express()` is assigned to and that the file starts. */
function checkOrder(source: SourceFile): Finding[] {
  if (!imports(source, "@throughline/express")) return [];
  const findings: Finding[] = [];
  const { code } = source;
  for (const [, app] of code.matchAll(/\b(\w+)\s*=\s*express\s*\(\s*\)/g)) {
    const positions = (pattern: string): number[] =>
      [...code.matchAll(new RegExp(String.raw`(?<![\w.])${app}\s*\.\s*${pattern}`, "g"))].map(({ index }) => index);
    const routes = positions(String.raw`(?:all|delete|get|patch|post|put)\s*\(\s*["'\`\[/][^,)]*,`);
    const contexts = positions(String.raw`use\s*\(\s*(?:\w+\.)?requestContext\s*\(`);
    const handlers = positions(String.raw`use\s*\(\s*(?:\w+\.)?errorHandler\s*\(`);
    const [first] = contexts;
    const last = routes.at(-1);
    if (first === undefined || last === undefined) continue;
    if (first > last) {
      findings.push({
        check: "middleware-order",
        severity: "error",
        message: "requestContext() is registered after all routes, so they have no Context.",
        where: lineOf(source, first),
        remedy: "Move it above the routes.",
      });
    }
    const handler = handlers[0];
    if (handler !== undefined && handler < last) {
      findings.push({
        check: "middleware-order",
        severity: "error",
        message: "errorHandler() is registered before a route, and does not answer the errors of that route.",
        where: lineOf(source, handler),
        remedy: "Move it below all routes.",
      });
    }
    if (handler === undefined && positions(String.raw`listen\s*\(`).length > 0) {
      findings.push({
        check: "middleware-order",
        severity: "error",
        message: "The application has no errorHandler(), so Express answers 500 in place of 504, 503 and 400.",
        where: lineOf(source, first),
        remedy: "Add app.use(errorHandler()) after all routes.",
      });
    }
  }
  return findings;
}

function checkCalls({ sources }: Project): Finding[] {
  const findings: Finding[] = [];
  for (const source of sources) {
    const { code } = source;
    if (/\b(?:document|window)\s*\./.test(code)) continue;
    // A file without a framework may belong to a client, such as a script.
    const severity = [...source.imports].some((each) => SERVERS.test(each)) ? "warning" : "info";
    const declares = DECLARES_FETCH.test(code);
    const bare = declares ? undefined : /(?<![\w.])fetch\s*\((?![^;]{0,400}?\bsignal\b)/.exec(code);
    if (bare != null && !/(?:function|async)\s+$/.test(code.slice(0, bare.index))) {
      findings.push({
        check: "bare-fetch",
        severity,
        message: "This call of the global fetch sends no deadline, and goes on after the request.",
        where: lineOf(source, bare.index),
        remedy: "Use createFetch() of @throughline/fetch. @throughline/eslint-plugin finds all such calls.",
      });
    }
    const timeout = /\bAbortSignal\s*\.\s*timeout\s*\(/.exec(code);
    if (timeout !== null) {
      findings.push({
        check: "abort-signal-timeout",
        severity,
        message: "AbortSignal.timeout() ignores the deadline of the request.",
        where: lineOf(source, timeout.index),
        remedy: "Use the signal of withTimeout(current(), ...).",
      });
    }
    if (imports(source, "axios") && !/\b(?:contextAdapter|signal)\b/.test(code)) {
      findings.push({
        check: "bare-axios",
        severity,
        message: "axios sends no deadline, and its calls go on after the request.",
        where: source.path,
        remedy: "Create the client with axios.create({ adapter: contextAdapter() }) of @throughline/fetch.",
      });
    }
  }
  return findings;
}

function checkDrivers(project: Project): Finding[] {
  const findings: Finding[] = [];
  for (const [driver, subpath] of Object.entries(DRIVERS)) {
    const user = project.sources.find((source) => imports(source, driver));
    if (user === undefined) continue;
    // A query builder that is wrapped sends its queries through the driver.
    const wrappers = [subpath, "knex", "kysely"].map((each) => `@throughline/drivers/${each}`);
    if (!project.sources.some((source) => wrappers.some((wrapper) => imports(source, wrapper)))) {
      findings.push({
        check: "driver",
        severity: "warning",
        message: `Queries of ${driver} have no deadline: they go on in the database after the request.`,
        where: user.path,
        remedy: `Wrap the client with withContext() of @throughline/drivers/${subpath}.`,
      });
    }
  }
  for (const source of project.sources) {
    const option = imports(source, "mongodb") ? /\btimeoutMS\s*:/.exec(source.code) : null;
    if (option === null) continue;
    findings.push({
      check: "mongodb-timeout",
      severity: "error",
      message:
        "'timeoutMS' of mongodb has no effect in current versions, and in 6.11 to 7.7 it can mix up connections.",
      where: lineOf(source, option.index),
      remedy: "Remove it, and use withContext() of @throughline/drivers/mongodb.",
    });
  }
  return findings;
}
