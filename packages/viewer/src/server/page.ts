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

/**
 * Allows only files of this server: no script or style injected through the text of a span, and no frame around the
 * page.
 */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
  "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

interface Asset {
  readonly body: Buffer;
  readonly type: string;
  /** The file name contains a hash of the content. */
  readonly isImmutable: boolean;
}

/** The files of the page, read once at startup: a request path is a key of a map, never a path of the file system. */
export class Page {
  readonly #assets = new Map<string, Asset>();

  /** @param folder output of the Vite build */
  constructor(folder: string) {
    for (const file of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue;
      const path = join(file.parentPath, file.name);
      const name = relative(folder, path).split(sep).join("/");
      this.#assets.set(name === "index.html" ? "/" : `/${name}`, {
        body: readFileSync(path),
        type: TYPES[extname(name)] ?? "application/octet-stream",
        isImmutable: name.startsWith("assets/"),
      });
    }
  }

  /** Returns `false` if the page has no such file. */
  serve(path: string, res: ServerResponse): boolean {
    const asset = this.#assets.get(path);
    if (asset === undefined) return false;
    res.writeHead(200, {
      "content-type": asset.type,
      "content-length": asset.body.length,
      "cache-control": asset.isImmutable ? "public, max-age=31536000, immutable" : "no-cache",
      "content-security-policy": POLICY,
      "referrer-policy": "no-referrer",
    });
    res.end(asset.body);
    return true;
  }
}
