import { expect, it } from "vitest";

import { answeredInTime, deadlineDeepDown, traceHash, visitorLeft } from "./fixtures.ts";
import { describeInBrowser } from "./open-viewer.ts";
import { startJaeger, startTempo } from "./remote-servers.ts";
import { NOON } from "./trace-writer.ts";

const spans = deadlineDeepDown();

describeInBrowser("traces of another server", (look) => {
  it("are found and drawn with their budgets", async () => {
    await using jaeger = await startJaeger(spans);
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

  it("are searched within a time of two instants, which the address keeps in UTC", async () => {
    await using tempo = await startTempo([spans]);
    await using opened = await look({ from: tempo.url, hash: "#/?source=remote", timezoneId: "Asia/Kolkata" });
    const { page } = opened;
    await page.getByRole("link", { name: "GET /search" }).waitFor();
    await page.getByRole("combobox", { name: /^Time/ }).selectOption("range");
    await page.getByLabel("From time").fill("2026-03-14T17:00:00");
    await page.getByLabel("To time").fill("2026-03-14T18:30:10");
    await page.waitForURL(/since=2026-03-14T11%3A30Z&until=2026-03-14T13%3A00%3A10Z/);
    await page.getByRole("link", { name: "GET /search" }).waitFor();
    const search = () => tempo.requests.findLast(({ pathname }) => pathname === "/api/search")!.searchParams;
    await expect.poll(() => search().get("end")).toBe(String(Date.UTC(2026, 2, 14, 13, 0, 10) / 1000));
    expect(search().get("start")).toBe(String(Date.UTC(2026, 2, 14, 11, 30) / 1000));
  });
});

describeInBrowser("the deadlines of another server", (look) => {
  const LATE = Array.from({ length: 120 }, (_, index) => deadlineDeepDown(200 + index, NOON + index));
  const left = visitorLeft(30).map((span) =>
    span.service === "inventory" && span.kind === "server" ? { ...span, end: span.end + 400 } : span,
  );

  it("are those of the traces that a search finds, and the page says how many that are", async () => {
    await using tempo = await startTempo([left, ...LATE]);
    await using opened = await look({ from: tempo.url, traces: [answeredInTime()], hash: "#/deadlines" });
    const { page } = opened;
    await page.getByText("1 trace, 1 with a deadline").waitFor();
    await page.getByRole("combobox", { name: /^From/ }).selectOption("remote");
    await page.getByText("100 traces, 100 with a deadline, 99 exceeded it, 1 client left").waitFor();
    await page.getByText("These are the first 100 traces that Tempo found; there may be more.").waitFor();
    const hops = page.getByRole("region", { name: "Which deadline passes" });
    expect(await hops.getByRole("row").nth(1).textContent()).toContain("pricing POST /pricesmaxTimeout");
    await page.getByRole("region", { name: "Where the time is spent" }).getByText("pricing").waitFor();
    await page.getByRole("region", { name: "Work after the client left" }).getByText("GET /stock").waitFor();
    await page.getByRole("combobox", { name: /^At most/ }).selectOption("200");
    await page.getByText("121 traces, 121 with a deadline").waitFor();
    await page.getByText("Tempo found no more.").waitFor();
    await page.getByRole("combobox", { name: /^Route/ }).selectOption("gateway GET /search");
    await page.waitForURL(/#\/deadlines\?route=gateway\+GET\+%2Fsearch&source=remote&limit=200$/);
    await expect
      .poll(() => tempo.requests.findLast(({ pathname }) => pathname === "/api/search")!.search)
      .toContain("rootName");
    expect(opened.viewer.store.size.traces).toBe(1);
  });

  it("of Jaeger are within a service, and an error leaves the way back to this viewer", async () => {
    const jaeger = await startJaeger(spans);
    await using opened = await look({ from: jaeger.url, traces: [visitorLeft()], hash: "#/deadlines?source=remote" });
    const { page } = opened;
    await page.getByText("Jaeger searches within a service: choose one.").waitFor();
    await page.getByRole("combobox", { name: /^Service/ }).selectOption("search");
    await page.getByText("1 trace, 1 with a deadline, 1 exceeded it").waitFor();
    await jaeger[Symbol.asyncDispose]();
    await page.getByRole("button", { name: "Search again" }).click();
    await page.getByRole("alert").getByText(`Cannot read from ${jaeger.url}`).waitFor();
    await page.getByRole("combobox", { name: /^From/ }).selectOption("");
    await page.getByText("1 trace, 1 with a deadline, 0 exceeded it, 1 client left").waitFor();
    expect(opened.hash()).toBe("#/deadlines");
  });
});
