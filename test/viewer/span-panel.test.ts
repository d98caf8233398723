import { expect, it } from "vitest";

import { answeredInTime, deadlineDeepDown, idOf, traceHash } from "./fixtures.ts";
import { describeInBrowser } from "./open-viewer.ts";

describeInBrowser("the details of a span", (look) => {
  it("shows the data of a clicked span, and the URL links to it", async () => {
    const spans = deadlineDeepDown();
    const id = idOf(spans, "pricing", "POST /prices");
    await using opened = await look({ traces: [spans], hash: traceHash(spans) });
    const { page } = opened;
    await page.locator(`#row-${id}`).click();
    const panel = page.getByRole("complementary", { name: "Details of the span" });
    await panel.getByText("budget cut from 1.37 s to 300 ms by maxTimeout in pricing").waitFor();
    await panel.getByText("at 401 ms").waitFor();
    await panel.getByText("16 ms after its end").waitFor();
    await panel.getByRole("row", { name: "throughline.deadline.source maxTimeout" }).waitFor();
    await panel.getByRole("row", { name: "service.version 4.2.0" }).waitFor();
    expect(opened.hash()).toBe(traceHash(spans, id));
    await page.reload();
    await panel.getByRole("heading", { name: "POST /prices" }).waitFor();
    await panel.getByRole("link", { name: "pricing GET" }).click();
    await panel.getByRole("heading", { name: "GET", exact: true }).waitFor();
  });

  it("shows the events and links of a span", async () => {
    const [root, ...others] = answeredInTime();
    const spans = [
      {
        ...root!,
        events: [{ name: "cache miss", time: root!.start + 12, attributes: { key: "lamp" } }],
        links: [{ traceId: "ab".repeat(16), spanId: "cd".repeat(8) }],
      },
      ...others,
    ];
    await using opened = await look({ traces: [spans], hash: traceHash(spans, root!.spanId) });
    const panel = opened.page.getByRole("complementary");
    await panel.getByRole("heading", { name: "12 ms · cache miss" }).waitFor();
    await panel.getByRole("row", { name: "key lamp" }).waitFor();
    const href = await panel.getByRole("link", { name: /^trace abababab… span cdcd/ }).getAttribute("href");
    expect(href).toBe(`#/trace/${"ab".repeat(16)}?span=${"cd".repeat(8)}`);
  });

  it("copies an attribute and the trace id to the clipboard", async () => {
    const spans = deadlineDeepDown();
    await using opened = await look({
      traces: [spans],
      hash: traceHash(spans, idOf(spans, "pricing", "POST /prices")),
    });
    const { page } = opened;
    await page.getByRole("button", { name: "Copy throughline.deadline.source" }).click();
    await page.getByText("copied").waitFor();
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe("maxTimeout");
    await page.getByRole("button", { name: "Copy the trace id" }).click();
    await page.locator(".story").getByText("copied").waitFor();
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(spans[0]!.traceId);
  });
});
