import { readdirSync, readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { extname, join, relative, sep } from "node:path";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
};

/** Nothing but what comes from here: no script or style that text of a span could smuggle in, and no frame around the page. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

interface Asset {
  readonly body: Buffer;
  readonly type: string;
  /** Its name changes with its content. */
  readonly isFixed: boolean;
}

/** The page and what belongs to it, read once: a path that is asked for is looked up, never opened. */
export class Page {
  readonly #assets = new Map<string, Asset>();

  /** @param folder what Vite has built */
  constructor(folder: string) {
    for (const file of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue;
      const path = join(file.parentPath, file.name);
      const name = relative(folder, path).split(sep).join("/");
      this.#assets.set(name === "index.html" ? "/" : `/${name}`, {
        body: readFileSync(path),
        type: TYPES[extname(name)] ?? "application/octet-stream",
        isFixed: name.startsWith("assets/"),
      });
    }
  }

  /** Whether there was such a thing to serve. */
  serve(path: string, res: ServerResponse): boolean {
    const asset = this.#assets.get(path);
    if (asset === undefined) return false;
    res.writeHead(200, {
      "content-type": asset.type,
      "content-length": asset.body.length,
      "cache-control": asset.isFixed ? "public, max-age=31536000, immutable" : "no-cache",
      "content-security-policy": POLICY,
      "referrer-policy": "no-referrer",
    });
    res.end(asset.body);
    return true;
  }
}
