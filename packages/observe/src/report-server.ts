import { createServer } from "node:http";

import type { Observer } from "./observer.ts";
import { formatReport } from "./report.ts";

/** Serves the report on this machine: as text, and as JSON at `/report.json`. It keeps no process alive. */
export function serveReport(observer: Observer, port: number): void {
  const server = createServer((req, res) => {
    const report = observer.report();
    const isJson = req.url === "/report.json";
    res.setHeader("content-type", isJson ? "application/json" : "text/plain; charset=utf-8");
    res.end(isJson ? JSON.stringify(report, null, 2) : `${formatReport(report)}\n`);
  });
  observer.ignore(server);
  server.once("error", (error) => console.error(`throughline: cannot serve the report: ${error.message}`));
  server.listen(port, "127.0.0.1").unref();
}
