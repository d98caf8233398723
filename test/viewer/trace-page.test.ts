import { readFile } from "node:fs/promises";

import { parseTracesJson } from "@throughline/viewer";
import { expect, it } from "vitest";

import { answeredInTime, deadlineDeepDown, idOf, partialAnswer, traceHash, visitorLeft } from "./fixtures.ts";
import { describeInBrowser } from "./open-viewer.ts";
import { sendSpans } from "./send-spans.ts";

describeInBrowser("a trace", (look) => {
  it.each([
    ["answered in time", answeredInTime(), "Answered with 200 after 186 ms, with 1.81 s of its 2 s to spare."],
    [
      "whose deadline passed deep down",
      deadlineDeepDown(),
      "The deadline of 300 ms, set by maxTimeout in pricing, passed while pricing waited for inventory; the visitor got 504 after 393 ms.",
    ],
    [
      "whose visitor left",
      visitorLeft(),
      "The visitor left after 83 ms; 4 calls in 5 services were canceled within 3.5 ms.",
    ],
    [
      "answered in part",
      partialAnswer(),
      "Answered with 200 after 362 ms, though time ran out for reviews and inventory refused because 13 ms was left.",
    ],
  ])("%s: a sentence says so", async (_what, spans, headline) => {
    await using opened = await look({ traces: [spans], hash: traceHash(spans) });
    expect(await opened.page.getByRole("heading", { level: 1 }).textContent()).toBe(headline);
    expect(await opened.page.getByRole("row").count()).toBe(spans.length);
  });

  it("draws each budget to scale, as a band that ends at the deadline", async () => {
    const spans = partialAnswer();
    await using opened = await look({ traces: [spans], hash: traceHash(spans) });
    const row = (id: string) => opened.page.locator(`#row-${id}`);
    const root = spans[0]!;
    const bar = (await row(root.spanId).locator(".bar").boundingBox())!;
    const band = (await row(root.spanId).locator(".band").boundingBox())!;
    // 362.2 ms of work within a budget of 400 ms.
    expect(band.width / bar.width).toBeCloseTo(400 / 362.2, 2);
    expect(band.x).toBeCloseTo(bar.x, 0);
    const query = row(idOf(spans, "catalog", "SELECT products"));
    expect(await query.locator(".band").count()).toBe(0);
  });

  it("fades a band whose deadline is after the end of the trace", async () => {
    const spans = visitorLeft();
    await using opened = await look({ traces: [spans], hash: traceHash(spans) });
    const root = opened.page.locator(`#row-${spans[0]!.spanId}`);
    await root.locator(".band.is-beyond").waitFor();
    expect(await root.locator(".deadline").count()).toBe(0);
  });

  it("marks where a budget was cut and names the source", async () => {
    const spans = deadlineDeepDown();
    await using opened = await look({ traces: [spans], hash: traceHash(spans) });
    const { page } = opened;
    await page.locator(".cut").waitFor({ state: "attached" });
    const title = await page.locator(".cut").getAttribute("title");
    expect(title).toBe("budget cut from 1.37 s to 300 ms by maxTimeout in pricing");
    expect(await page.locator(".is-cut").allTextContents()).toEqual(["↓ 300 ms"]);
  });

  it("shows what ended each span", async () => {
    const spans = deadlineDeepDown();
    await using opened = await look({ traces: [spans], hash: traceHash(spans) });
    await opened.page.getByRole("row").first().waitFor();
    const badges = await opened.page.locator(".waterfall-row .badge").allTextContents();
    expect(badges).toEqual([
      "504",
      "504",
      "504",
      "200",
      "200",
      "504",
      "deadline 504",
      "deadline",
      "client left",
      "canceled",
    ]);
  });

  it("draws the cancellation from hop to hop, with the time of each", async () => {
    const spans = visitorLeft();
    await using opened = await look({ traces: [spans], hash: traceHash(spans) });
    const { page } = opened;
    await page.locator(".cancel-lines line").nth(7).waitFor({ state: "attached" });
    expect(await page.locator(".cancel-lines circle").count()).toBe(9);
    const inventory = page.locator(`.cancel-lines [data-span="${idOf(spans, "inventory", "GET /stock")}"]`);
    expect(await inventory.textContent()).toBe("+0.8 ms");
    // The mark is at the end of the bar.
    const bar = (await page.locator(`#row-${idOf(spans, "inventory", "GET /stock")} .bar`).boundingBox())!;
    const mark = (await inventory.locator("circle").boundingBox())!;
    expect(Math.abs(mark.x + mark.width / 2 - (bar.x + bar.width))).toBeLessThan(1);
    expect(Math.abs(mark.y + mark.height / 2 - (bar.y + bar.height / 2))).toBeLessThan(1);
  });

  it("draws no cancellation in a trace without one", async () => {
    const spans = answeredInTime();
    await using opened = await look({ traces: [spans], hash: traceHash(spans) });
    await opened.page.getByRole("row").first().waitFor();
    expect(await opened.page.locator(".cancel-lines").count()).toBe(0);
  });

  it("exports OTLP with the same spans", async () => {
    const spans = visitorLeft();
    await using opened = await look({ traces: [spans], hash: traceHash(spans) });
    const { page } = opened;
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Export OTLP" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe(`trace-${spans[0]!.traceId}.json`);
    const exported = parseTracesJson(await readFile(await download.path(), "utf8"));
    const namesOf = (all: readonly { spanId: string; name: string }[]) =>
      all.map(({ spanId, name }) => `${spanId} ${name}`);
    expect(namesOf(exported).sort()).toEqual(namesOf(spans).sort());
  });

  it("adds spans as they arrive", async () => {
    const spans = visitorLeft();
    await using opened = await look({ traces: [spans.slice(0, 5)], hash: traceHash(spans) });
    const { page, viewer } = opened;
    await page.getByText("5 spans").waitFor();
    await sendSpans(viewer.url, spans.slice(5));
    await page.getByText("12 spans").waitFor();
    expect(await page.getByRole("row").count()).toBe(12);
  });

  it("says that a trace does not exist", async () => {
    await using opened = await look({ hash: `#/trace/${"ab".repeat(16)}` });
    await opened.page.getByRole("alert").getByText("it has not come yet, or has left to make room").waitFor();
    await opened.go("#/trace/nonsense");
    await opened.page.getByRole("heading", { name: "There is no such page" }).waitFor();
    expect(await opened.page.getByRole("row").count()).toBe(0);
  });

  it("shows all data of a span as text, including HTML", async () => {
    const evil = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
    const spans = answeredInTime().map((span) => ({
      ...span,
      name: `${evil}${span.name}`,
      service: `${evil}${span.service}`,
      resource: { "service.name": `${evil}${span.service}`, [evil]: evil },
      statusMessage: evil,
      attributes: {
        ...span.attributes,
        [evil]: evil,
        "throughline.ended_by": evil,
        "throughline.deadline.source": evil,
      },
    }));
    await using opened = await look({ traces: [spans], hash: traceHash(spans, spans[0]!.spanId) });
    const { page } = opened;
    await page.getByRole("complementary").getByRole("heading", { name: evil }).waitFor();
    for (const hash of ["#/", "#/graph", traceHash(spans)]) {
      await opened.go(hash);
      await page.getByText("<img src=x").filter({ visible: true }).first().waitFor();
    }
    expect(await page.title()).toBe("Throughline");
    expect(await page.locator("main img, main script").count()).toBe(0);
  });
});
