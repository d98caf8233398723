import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { formatTraces } from "@throughline/viewer";
import { expect, it } from "vitest";

import { deadlineDeepDown, traceHash } from "./fixtures.ts";
import { describeInBrowser } from "./open-viewer.ts";

const spans = deadlineDeepDown();

/** Answers as Jaeger's HTTP API of version 3 does. The test does not run Jaeger. */
async function startJaeger(): Promise<{ readonly url: string } & AsyncDisposable> {
  const server = createServer((req, res) => {
    const { pathname } = new URL(req.url!, "http://jaeger");
    if (pathname === "/api/v3/services") res.end(JSON.stringify({ services: ["gateway", "search"] }));
    else if (pathname.startsWith("/api/v3/traces")) res.end(JSON.stringify({ result: formatTraces(spans) }));
    else res.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

describeInBrowser("traces of another server", (look) => {
  it("are found and drawn with their budgets", async () => {
    await using jaeger = await startJaeger();
    await using opened = await look({ from: jaeger.url });
    const { page } = opened;
    await page.getByRole("combobox", { name: /^From/ }).selectOption("remote");
    await page.getByText("Jaeger searches within a service: choose one.").waitFor();
    await page.getByRole("combobox", { name: /^Service/ }).selectOption("gateway");
    await page.getByRole("link", { name: "GET /search" }).click();
    await page.getByRole("heading", { name: /^The deadline of 300 ms, set by maxTimeout in pricing/ }).waitFor();
    await page.locator(".cut").waitFor({ state: "attached" });
    expect(opened.hash()).toBe(traceHash(spans));
    expect(opened.viewer.store.size.spans).toBe(0);
  });
});
