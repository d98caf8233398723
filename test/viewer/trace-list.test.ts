import { expect, it } from "vitest";

import { answeredInTime, deadlineDeepDown, partialAnswer, visitorLeft } from "./fixtures.ts";
import { describeInBrowser } from "./open-viewer.ts";
import { sendSpans } from "./send-spans.ts";
import { NOON } from "./trace-writer.ts";

const FOUR = [answeredInTime(), deadlineDeepDown(), visitorLeft(), partialAnswer()];

describeInBrowser("the list of traces", (look) => {
  it("explains how to send traces while there are none, and shows the first trace when it arrives", async () => {
    await using opened = await look();
    const { page, viewer } = opened;
    await page.getByRole("heading", { name: "No traces yet" }).waitFor();
    await page.getByText(`OTEL_EXPORTER_OTLP_ENDPOINT=${viewer.url} node app.js`).waitFor();
    await sendSpans(viewer.url, visitorLeft());
    await page.getByRole("row", { name: /gateway GET \/search client left/ }).waitFor();
    expect(await page.getByText("No traces yet").count()).toBe(0);
  });

  it("counts matching traces, stored spans and dropped spans", async () => {
    await using opened = await look({ traces: FOUR, maxSpans: 40 });
    // With 13 + 11 + 12 + 14 spans, the first trace is dropped.
    await opened.page.getByText("3 traces · 37 spans stored · 13 dropped to make room").waitFor();
    expect(await opened.page.locator("tbody tr").count()).toBe(3);
  });

  it("filters by text, and the URL contains the filter", async () => {
    await using opened = await look({ traces: FOUR });
    const { page } = opened;
    await page.getByRole("searchbox").fill("rank results");
    await page.getByText("1 of 4 traces").waitFor();
    expect(opened.hash()).toBe("#/?text=rank+results");
    expect(await page.locator("tbody tr").count()).toBe(1);
  });

  it.each([
    ["Service", "reviews", 3],
    ["Status", "error", 2],
    ["Status", "5xx", 1],
    ["Status", "504", 1],
    ["Ended by", "client", 1],
  ])("filters by %s: %s", async (label, choice, count) => {
    await using opened = await look({ traces: FOUR });
    const { page } = opened;
    await page.getByRole("combobox", { name: label, exact: true }).selectOption(choice);
    await page.getByText(`${count} of 4 traces`).waitFor();
    expect(await page.locator("tbody tr").count()).toBe(count);
  });

  it("filters by a minimum and a maximum duration", async () => {
    await using opened = await look({ traces: FOUR });
    const { page } = opened;
    await page.getByLabel("Longer than").fill("100");
    await page.getByText("3 of 4 traces").waitFor();
    await page.getByLabel("Shorter than").fill("200");
    await page.getByText("1 of 4 traces").waitFor();
    expect(opened.hash()).toBe("#/?min=100&max=200");
  });

  it("applies the filters of a URL, and clears them at Escape", async () => {
    await using opened = await look({ traces: FOUR, hash: "#/?endedBy=client&service=search" });
    const { page } = opened;
    await page.getByText("1 of 4 traces").waitFor();
    expect(await page.getByRole("combobox", { name: "Ended by" }).inputValue()).toBe("client");
    await page.keyboard.press("Escape");
    await page.getByText("4 traces").waitFor();
    expect(opened.hash()).toBe("#/");
  });

  it("says that nothing matches, and why a filter is invalid", async () => {
    await using opened = await look({ traces: FOUR, hash: "#/?text=nobody" });
    const { page } = opened;
    await page.getByRole("heading", { name: "No trace is like that" }).waitFor();
    await opened.go("#/?min=soon");
    await page.getByRole("alert").getByText("'min' must be a number, zero or more").waitFor();
    expect(await page.getByRole("alert").count()).toBe(1);
  });

  it("does not change while paused, announces new spans, and shows them when resumed", async () => {
    await using opened = await look({ traces: [answeredInTime()] });
    const { page, viewer } = opened;
    await page.clock.install();
    await page.reload();
    await page.getByText("1 trace · 13 spans stored").waitFor();
    await page.locator("tbody tr").waitFor();
    await page.keyboard.press("p");
    await page.getByRole("button", { name: "Paused" }).waitFor();
    await sendSpans(viewer.url, visitorLeft());
    const button = page.getByRole("button", { name: "Paused · new spans" });
    await button.waitFor();
    // Much longer than the page takes to load them.
    await page.clock.runFor(5000);
    expect([await button.count(), await page.locator("tbody tr").count()]).toEqual([1, 1]);
    await page.keyboard.press("p");
    await page.getByText("2 traces · 25 spans stored").waitFor();
    await page.locator("tbody tr").nth(1).waitFor();
    expect(await page.locator("tbody tr").count()).toBe(2);
  });

  it("says that the viewer does not respond, and continues when it does", async () => {
    await using opened = await look({ traces: FOUR });
    const { page } = opened;
    await page.getByText("4 traces").waitFor();
    await page.route("**/api/**", (route) => route.abort());
    await page.getByRole("combobox", { name: "Status" }).selectOption("error");
    await page.getByRole("alert").getByText("The viewer does not answer").waitFor();
    await page.unroute("**/api/**");
    await page.getByRole("combobox", { name: "Status" }).selectOption("504");
    await page.getByText("1 of 4 traces").waitFor();
    expect(await page.getByRole("alert").count()).toBe(0);
  });

  it("says that the connection is lost when the viewer stops", async () => {
    await using opened = await look({ traces: FOUR });
    const { page, viewer } = opened;
    await page.getByRole("button", { name: "Live" }).waitFor();
    await page.getByText("4 traces").waitFor();
    await viewer.close();
    await page.getByRole("button", { name: "No connection" }).waitFor();
    expect(await page.locator("tbody tr").count()).toBe(4);
  });

  it("shows the first 200 traces, and more on request", async () => {
    const traces = Array.from({ length: 210 }, (_, index) => answeredInTime(100 + index, NOON + index).slice(0, 1));
    await using opened = await look({ traces: [traces.flat()] });
    const { page } = opened;
    await page.getByText("210 traces").waitFor();
    expect(await page.locator("tbody tr").count()).toBe(200);
    await page.getByRole("button", { name: "Show more" }).click();
    await page.locator("tbody tr").nth(209).waitFor();
    expect(await page.locator("tbody tr").count()).toBe(210);
  });
});
