import { expect, it } from "vitest";

import { answeredInTime, deadlineDeepDown, partialAnswer, visitorLeft } from "./fixtures.ts";
import { describeInBrowser } from "./open-viewer.ts";
import { NOON } from "./trace-writer.ts";

const FOUR = [answeredInTime(), deadlineDeepDown(), visitorLeft(), partialAnswer()];

describeInBrowser("the graph of services", (look) => {
  it("draws the calls between services from left to right with latencies, and links to the traces of a service", async () => {
    await using opened = await look({ traces: FOUR, hash: "#/graph" });
    const { page } = opened;
    const box = (name: string) => page.getByRole("link", { name: new RegExp(`^${name}: `) });
    await box("gateway").waitFor();
    const lefts = [];
    for (const name of ["gateway", "search", "pricing", "inventory"]) lefts.push((await box(name).boundingBox())!.x);
    expect(lefts).toEqual(lefts.toSorted((a, b) => a - b));
    expect(await box("gateway").getAttribute("aria-label")).toBe(
      "gateway: 4 requests, 25 % failed, p50 362 ms, p95 393 ms",
    );
    expect(await page.locator(".call").count()).toBe(5);
    await box("reviews").focus();
    await page.keyboard.press("Enter");
    await page.getByText("3 of 4 traces").waitFor();
    expect(opened.hash()).toBe("#/?service=reviews");
  });

  it("says that there are no services yet", async () => {
    await using opened = await look({ hash: "#/graph" });
    await opened.page.getByRole("heading", { name: "No services yet" }).waitFor();
    expect(await opened.page.locator("svg.graph").count()).toBe(0);
  });
});

describeInBrowser("a comparison", (look) => {
  it("shows the difference in duration of each span, and the spans that only one trace has", async () => {
    const [before, after] = [answeredInTime(1), answeredInTime(2, NOON, 40)];
    const traces = [
      before.filter(({ name }) => name !== "SELECT products"),
      after.filter(({ name }) => name !== "rank results"),
    ];
    await using opened = await look({ traces, hash: `#/compare/${before[0]!.traceId}/${after[0]!.traceId}` });
    const { page } = opened;
    await page.getByText("11 spans in both, 1 only in B, 1 only in A").waitFor();
    await page.getByRole("row", { name: "gateway GET /search 186 ms 226 ms +40 ms" }).waitFor();
    await page.getByRole("row", { name: "inventory GET /stock 34 ms 34 ms ±0" }).waitFor();
    await page.getByRole("row", { name: "catalog → SELECT products – 41 ms added" }).waitFor();
    await page.getByRole("row", { name: "search rank results 38 ms – removed" }).waitFor();
    await page.getByRole("link", { name: "Swap" }).click();
    await page.getByRole("row", { name: "gateway GET /search 226 ms 186 ms −40 ms" }).waitFor();
  });

  it.each([1440, 600])("keeps its columns under their heads at %i pixels", async (width) => {
    await using opened = await look({
      traces: FOUR,
      hash: `#/compare/${FOUR[0]![0]!.traceId}/${FOUR[3]![0]!.traceId}`,
    });
    const { page } = opened;
    await page.setViewportSize({ width, height: 760 });
    await page.locator(".compare-row.is-both").first().waitFor();
    const head = (await page.locator(".compare-columns").getByText("Difference").boundingBox())!;
    const cell = (await page.locator(".compare-row.is-both > .number").nth(2).boundingBox())!;
    expect(head.x + head.width).toBeCloseTo(cell.x + cell.width, -1);
    // The bars have space, or are hidden.
    const bars = "document.querySelector('.compare-row.is-both .difference').getBoundingClientRect().width";
    const space = (await page.evaluate(bars)) as number;
    expect(width === 600 ? space === 0 : space > 100).toBe(true);
    const heads = "[...document.querySelectorAll('.compare-columns > *')].map(({ offsetHeight }) => offsetHeight)";
    expect(Math.max(...((await page.evaluate(heads)) as number[]))).toBeLessThan(25);
    expect(head.y + head.height).toBeLessThanOrEqual(cell.y);
  });

  it("is opened with two check boxes, of which at most two can be checked", async () => {
    await using opened = await look({ traces: FOUR });
    const { page } = opened;
    const boxes = page.getByRole("checkbox");
    await boxes.nth(3).check();
    expect(await page.getByRole("button", { name: "Compare" }).isDisabled()).toBe(true);
    await boxes.nth(2).check();
    // A third check box replaces the first.
    await boxes.nth(0).check();
    expect(await boxes.nth(3).isChecked()).toBe(false);
    await page.getByRole("button", { name: "Compare" }).click();
    await page.getByText(/spans in both/).waitFor();
    expect(opened.hash()).toBe(`#/compare/${FOUR[1]![0]!.traceId}/${FOUR[3]![0]!.traceId}`);
  });

  it("names a trace that does not exist", async () => {
    await using opened = await look({ traces: FOUR, hash: `#/compare/${FOUR[0]![0]!.traceId}/${"ab".repeat(16)}` });
    await opened.page
      .getByRole("alert")
      .getByText(`Cannot show trace ${"ab".repeat(16)}`)
      .waitFor();
    expect(await opened.page.getByRole("row").count()).toBe(0);
  });
});

describeInBrowser("the colors", (look) => {
  const ground = "getComputedStyle(document.body).backgroundColor";

  it("follow the system until the user chooses, and the choice is remembered", async () => {
    await using light = await look();
    await using dark = await look({ colorScheme: "dark" });
    const [bright, dim] = [await light.page.evaluate(ground), await dark.page.evaluate(ground)];
    expect(bright).not.toBe(dim);
    await light.page.getByRole("button", { name: "Use dark colours" }).click();
    expect(await light.page.evaluate(ground)).toBe(dim);
    await light.page.reload();
    await light.page.getByRole("button", { name: "Use light colours" }).waitFor();
    expect(await light.page.evaluate(ground)).toBe(dim);
  });
});
