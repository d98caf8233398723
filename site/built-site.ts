import { execFile } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { promisify } from "node:util";

import { ROOT } from "./pages.ts";

const DIST = join(ROOT, "site/dist");

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".txt": "text/plain; charset=utf-8",
  ".json": "application/json",
};

/** Builds the site as `npm run docs` does. */
export async function buildSite(): Promise<void> {
  // Vitest sets NODE_ENV to "test", which would build the site for development.
  const env = { ...process.env, NODE_ENV: "production" };
  await promisify(execFile)(process.execPath, [join(ROOT, "site/build.ts")], { env, maxBuffer: 1e8 });
}

/** The addresses of all pages: `/learn/context`. */
export function builtPages(): string[] {
  return globSync("**/*.html", { cwd: DIST })
    .map((file) => `/${file.replaceAll("\\", "/").replace(/(?:index)?\.html$/, "")}`)
    .filter((page) => page !== "/404")
    .toSorted();
}

/** The file of an address, as a static host finds it; `undefined` if there is none. */
export function fileOf(address: string): string | undefined {
  const path = decodeURIComponent(address.split(/[?#]/)[0]!);
  const candidates = [path, `${path}.html`, join(path, "index.html")].map((each) => join(DIST, each));
  return candidates.find((file) => extname(file) !== "" && existsSync(file));
}

export function htmlOf(page: string): string {
  return readFileSync(fileOf(page)!, "utf8");
}

/** Serves the built site as a static host does. */
export async function serveSite(): Promise<{ readonly origin: string } & Disposable> {
  const server = createServer((req, res) => {
    const file = fileOf(req.url!);
    if (file === undefined) res.writeHead(404).end();
    else
      res
        .writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" })
        .end(readFileSync(file));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    [Symbol.dispose]: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
