// A service that does not know of the observer: its handlers call a backend twice.
import http from "node:http";

const [framework, backend, client] = process.argv.slice(2);

const get = {
  fetch: async (url) => (await fetch(url)).text(),
  http: (url) =>
    new Promise((resolve, reject) => {
      http.get(url, (res) => res.resume().once("end", resolve)).once("error", reject);
    }),
}[client];

async function work() {
  await get(`${backend}/first`);
  await get(`${backend}/second`);
  return "done";
}

const start = {
  async express() {
    const { default: express } = await import("express");
    const app = express();
    app.get("/orders/:id", async (_req, res) => void res.send(await work()));
    return http.createServer(app);
  },
  async koa() {
    const { default: Koa } = await import("koa");
    const app = new Koa();
    app.use(async (koa) => {
      koa.body = await work();
    });
    return http.createServer(app.callback());
  },
  async fastify() {
    const { default: Fastify } = await import("fastify");
    let server;
    const app = Fastify({ serverFactory: (handler) => (server = http.createServer(handler)) });
    app.get("/orders/:id", work);
    await app.ready();
    return server;
  },
  async http() {
    return http.createServer((_req, res) => void work().then((text) => res.end(text)));
  },
}[framework];

const server = await start();
server.listen(0, "127.0.0.1", () => process.send(server.address().port));
process.on("message", () => process.exit(0));
