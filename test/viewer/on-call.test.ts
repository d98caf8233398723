import { gzipSync } from "node:zlib";

import { formatTraces, type ViewedSpan } from "@throughline/viewer";
import type { Page } from "playwright-core";
import { expect, it } from "vitest";

import {
  answeredInTime,
  deadlineDeepDown,
  idOf,
  longTrace,
  partialAnswer,
  traceHash,
  visitorLeft,
} from "./fixtures.ts";
import { describeInBrowser } from "./open-viewer.ts";
import { sendSpans } from "./send-spans.ts";
import { NOON } from "./trace-writer.ts";

const FOUR = [answeredInTime(), deadlineDeepDown(), visitorLeft(), partialAnswer()];
const current = (page: Page) => page.locator(".waterfall-row.is-current");

describeInBrowser("many tabs", (look) => {
  it("all load and follow, though a browser opens six connections to a server", async () => {
    await using opened = await look({ traces: FOUR });
    const { page, viewer } = opened;
    const tabs = [page];
    for (let tab = 1; tab < 8; tab++) {
      const next = await page.context().newPage();
      next.setDefaultTimeout(5000);
      await next.goto(`${viewer.url}/#/`);
      await next.getByText("4 traces").waitFor();
      tabs.push(next);
    }
    await sendSpans(viewer.url, answeredInTime(7));
    for (const tab of tabs) {
      await tab.getByText("5 traces").waitFor();
      await tab.getByText("Live", { exact: true }).waitFor();
    }
    expect(tabs).toHaveLength(8);
  });
});

describeInBrowser("an open trace", (look) => {
  it("is not sent again while the spans of others arrive", async () => {
    const spans = visitorLeft();
    await using opened = await look({ traces: [spans], hash: traceHash(spans) });
    const { page, viewer } = opened;
    await page.getByText("12 spans").waitFor();
    const statuses: number[] = [];
    page.on("response", (response) => {
      if (response.url().includes(`/api/traces/${spans[0]!.traceId}`)) statuses.push(response.status());
    });
    for (let number = 20; number < 24; number++) {
      await sendSpans(viewer.url, answeredInTime(number));
      await page.waitForTimeout(500);
    }
    expect(statuses.length).toBeGreaterThan(1);
    expect(new Set(statuses)).toEqual(new Set([304]));
  });

  it("is drawn again if a span of it is replaced", async () => {
    const spans = visitorLeft();
    await using opened = await look({ traces: [spans], hash: traceHash(spans) });
    const { page, viewer } = opened;
    await page.getByText("12 spans").waitFor();
    await sendSpans(viewer.url, [{ ...spans[1]!, name: "PATCH" }]);
    await page.locator(`#row-${spans[1]!.spanId}`).getByText("PATCH").waitFor();
    expect(await page.getByText("12 spans").count()).toBe(1);
  });
});

describeInBrowser("the search in a trace", (look) => {
  const long = longTrace(4000).map((span, index) =>
    index === 3001 || index === 3501 ? { ...span, attributes: { ...span.attributes, order: "K-77" } } : span,
  );

  it("finds an attribute in rows that are collapsed or out of view, and goes to the next and back", async () => {
    await using opened = await look({ traces: [long], hash: traceHash(long) });
    const { page } = opened;
    await page.getByText("4,000 spans").waitFor();
    await page.getByLabel("Levels to show").selectOption("1");
    await page.waitForFunction("document.querySelectorAll('.waterfall-row').length === 1");
    await page.keyboard.press("f");
    await page.keyboard.type("order=k-77");
    await page.getByText("1 of 2").waitFor();
    await page.waitForFunction(`document.querySelector('.is-current').id === 'row-${long[3001]!.spanId}'`);
    await page.keyboard.press("Enter");
    await page.getByText("2 of 2").waitFor();
    await page.waitForFunction(`document.querySelector('.is-current').id === 'row-${long[3501]!.spanId}'`);
    await page.keyboard.press("Escape");
    await page.keyboard.press("n");
    await page.getByText("1 of 2").waitFor();
    await page.keyboard.press("N");
    await page.getByText("2 of 2").waitFor();
    expect(await page.locator(".is-match").count()).toBe(1);
  });

  it("is narrowed to a service, and reports that nothing matches", async () => {
    const spans = deadlineDeepDown();
    await using opened = await look({ traces: [spans], hash: traceHash(spans) });
    const { page } = opened;
    await page.getByLabel("Find in service").selectOption("inventory");
    await page.getByText("1 of 2").waitFor();
    await page.getByLabel("Find in this trace").fill("nowhere");
    await page.getByText("no match").waitFor();
    expect(await page.locator(".is-match").count()).toBe(0);
  });
});

describeInBrowser("errors", (look) => {
  const spans = visitorLeft().map((span): ViewedSpan =>
    span.service === "inventory"
      ? {
          ...span,
          failed: true,
          events: [{ name: "exception", time: span.start + 5, attributes: { "exception.message": "no stock" } }],
        }
      : { ...span, failed: false },
  );

  it("are red, counted, reached by a click, and shown by the rows that hide them", async () => {
    await using opened = await look({ traces: [spans], hash: traceHash(spans) });
    const { page } = opened;
    const bar = page.locator(`#row-${idOf(spans, "inventory", "GET /stock")} .bar`);
    await bar.waitFor();
    const element = `document.querySelector("#row-${idOf(spans, "inventory", "GET /stock")} .bar")`;
    const color = () => page.evaluate(`getComputedStyle(${element}).backgroundColor`);
    const red = await color();
    await page.evaluate(`${element}.classList.remove("is-failed")`);
    expect(await color()).not.toBe(red);
    const tick = page.locator(".event-tick.is-exception");
    expect(await tick.getAttribute("title")).toBe("exception: no stock");
    expect((await tick.boundingBox())!.x).toBeGreaterThan((await bar.boundingBox())!.x);
    await page.getByLabel("Levels to show").selectOption("1");
    await page.locator(".failed-below").getByText("1 error").click();
    await bar.waitFor();
    await current(page).getByText("GET /stock").waitFor();
    await page.keyboard.press("Home");
    await page.getByRole("button", { name: "1 error" }).click();
    await current(page).getByText("GET /stock").waitFor();
  });
});

describeInBrowser("the time", (look) => {
  it("is zoomed by dragging over the minimap or the axis, and shown whole again", async () => {
    const spans = answeredInTime();
    await using opened = await look({ traces: [spans], hash: traceHash(spans) });
    const { page } = opened;
    const bar = page.locator(`#row-${idOf(spans, "search", "rank results")} .bar`);
    const before = (await bar.boundingBox())!.width;
    for (const place of [".minimap", ".axis"]) {
      const { x, y, width, height } = (await page.locator(place).boundingBox())!;
      await page.mouse.move(x + width * 0.6, y + height / 2);
      await page.mouse.down();
      await page.mouse.move(x + width * 0.98, y + height / 2, { steps: 4 });
      await page.mouse.up();
      await page.getByRole("button", { name: "Show the whole time" }).waitFor();
      expect((await bar.boundingBox())!.width).toBeGreaterThan(before * 1.8);
      await page.getByRole("button", { name: "Show the whole time" }).click();
      await page.getByRole("button", { name: "Show the whole time" }).waitFor({ state: "detached" });
    }
    expect((await bar.boundingBox())!.width).toBe(before);
  });

  it("is moved by the wheel while zoomed, and no further than the trace", async () => {
    const spans = answeredInTime();
    await using opened = await look({ traces: [spans], hash: traceHash(spans) });
    const { page } = opened;
    const ranking = `#row-${idOf(spans, "search", "rank results")}`;
    await page.locator(ranking).click();
    await page.keyboard.press("z");
    await page.getByRole("button", { name: "Show the whole time" }).waitFor();
    const left = async () => (await page.locator(`${ranking} .bar`).boundingBox())!.x;
    const before = await left();
    const axis = (await page.locator(".axis").boundingBox())!.x;
    await page.locator(ranking).hover();
    await page.mouse.wheel(-300, 0);
    await expect.poll(left).toBeGreaterThan(before + 20);
    await page.mouse.wheel(-1e6, 0);
    // The axis begins with the trace.
    await expect.poll(() => page.locator(".tick").first().textContent()).toBe("0 ms");
    expect((await page.locator(".tick").first().boundingBox())!.x).toBeCloseTo(axis, -1);
    await page.mouse.wheel(1e6, 0);
    await expect.poll(left).toBeLessThan(axis + 400);
  });

  it.each([1440, 1024, 600])("of hours is written as hours, and nothing overlaps at %i pixels", async (width) => {
    const hours = answeredInTime().map((span) => ({
      ...span,
      start: NOON + (span.start - NOON) * 60_000,
      end: NOON + (span.end - NOON) * 60_000,
    }));
    await using opened = await look({ traces: [hours], hash: traceHash(hours) });
    const { page } = opened;
    await page.setViewportSize({ width, height: 760 });
    await page.locator(".waterfall-row").getByText("3 h 6 min").waitFor();
    const ticks = page.locator(".tick");
    await expect.poll(() => ticks.last().textContent()).toMatch(/^[1-3] h( 30 min)?$/);
    const boxes = async (selector: string) =>
      (await page.evaluate(`[...document.querySelectorAll(${JSON.stringify(selector)})].map((element) => {
        const range = document.createRange();
        range.selectNodeContents(element);
        const { left, right, top, bottom } = range.getBoundingClientRect();
        return { left, right, top, bottom };
      })`)) as { left: number; right: number; top: number; bottom: number }[];
    const texts = (await boxes(".tick")).toSorted((a, b) => a.left - b.left);
    expect(texts.length).toBeGreaterThan(1);
    for (const [index, { left }] of texts.entries()) {
      if (index > 0) expect(left).toBeGreaterThan(texts[index - 1]!.right);
    }
    const durations = (await boxes(".waterfall-row > .number:nth-child(2)")).toSorted((a, b) => a.top - b.top);
    for (const [index, { top, bottom }] of durations.entries()) {
      expect(bottom - top).toBeLessThan(25);
      if (index > 0) expect(top).toBeGreaterThanOrEqual(durations[index - 1]!.bottom);
    }
  });

  it("of clocks that differ is corrected, until that is switched off", async () => {
    const early = deadlineDeepDown().map((span) =>
      span.service === "catalog" ? { ...span, start: span.start - 5000, end: span.end - 5000 } : span,
    );
    await using opened = await look({ traces: [early], hash: traceHash(early) });
    const { page } = opened;
    await page.getByText("clocks differ by up to 5 s: 1 call affected").waitFor();
    await page.getByText("393 ms · 11 spans").waitFor();
    await page.getByLabel("correct").uncheck();
    await page.getByText("5.38 s · 11 spans").waitFor();
    expect(await page.getByLabel("correct").isChecked()).toBe(false);
  });

  it("is explained by the critical path and the own time of a span", async () => {
    const spans = answeredInTime();
    await using opened = await look({ traces: [spans], hash: traceHash(spans) });
    const { page } = opened;
    await page.locator(".waterfall-row").first().waitFor();
    await page.keyboard.press("t");
    await page.locator(`#row-${idOf(spans, "reviews", "GET /reviews")}.is-critical`).waitFor();
    expect(await page.locator(`#row-${idOf(spans, "pricing", "POST /prices")}.is-critical`).count()).toBe(0);
    await page.locator(`#row-${idOf(spans, "catalog", "GET /products")}`).click();
    await page.locator(".timing").getByText("Of its own").waitFor();
  });
});

describeInBrowser("rows", (look) => {
  it("of equal spans are grouped on demand, and shown again", async () => {
    const [root, ...rest] = answeredInTime();
    const queries = Array.from({ length: 200 }, (_, index) => ({
      ...rest[0]!,
      spanId: (0xabc000 + index).toString(16).padStart(16, "0"),
      name: "SELECT",
      start: root!.start + index / 10,
      end: root!.start + index / 10 + 0.1,
    }));
    const spans = [root!, ...queries];
    await using opened = await look({ traces: [spans], hash: traceHash(spans) });
    const { page } = opened;
    await page.getByText("201 spans").waitFor();
    await page.keyboard.press("r");
    await page.getByText("× 200").waitFor();
    expect(await page.locator(".waterfall-row").count()).toBe(2);
    await page.getByRole("button", { name: "Show all 200" }).click();
    await page.waitForFunction("document.querySelectorAll('.waterfall-row').length > 10");
  });

  it("have a column of names as wide as the user drags it, and no budgets where there are none", async () => {
    const spans = answeredInTime().map((span) => ({ ...span, attributes: {} }));
    await using opened = await look({ traces: [spans], hash: traceHash(spans) });
    const { page } = opened;
    await page.locator(".waterfall-row").first().waitFor();
    expect(await page.getByText("Budget", { exact: true }).filter({ visible: true }).count()).toBe(0);
    const cell = page.locator(".waterfall-row .span-cell").first();
    const before = (await cell.boundingBox())!.width;
    const edge = (await page.locator(".column-edge").boundingBox())!;
    await page.mouse.move(edge.x + 6, edge.y + 12);
    await page.mouse.down();
    await page.mouse.move(edge.x + 126, edge.y + 12, { steps: 3 });
    await page.mouse.up();
    expect((await cell.boundingBox())!.width - before).toBeCloseTo(120, -1);
    await page.reload();
    expect((await cell.boundingBox())!.width - before).toBeCloseTo(120, -1);
  });

  it("keep their columns beside a very long name, in the list and in the trace, at 600 pixels too", async () => {
    const spans = answeredInTime().map((span) => ({ ...span, name: `${span.name} ${"long name ".repeat(60)}` }));
    await using opened = await look({ traces: [spans] });
    const { page } = opened;
    for (const width of [1440, 1024, 600]) {
      await page.setViewportSize({ width, height: 760 });
      for (const hash of ["#/", traceHash(spans)]) {
        await opened.go(hash);
        await page.getByText("186 ms").first().waitFor();
        expect(await page.evaluate("document.documentElement.scrollWidth"), hash).toBeLessThanOrEqual(width);
        const { x, width: own } = (await page.getByText("186 ms", { exact: true }).last().boundingBox())!;
        expect(x + own, hash).toBeLessThanOrEqual(width);
      }
    }
  });
});

describeInBrowser("warnings", (look) => {
  it("name spans with a missing parent and without an end, select them, and mark their rows", async () => {
    const [root, ...rest] = answeredInTime().filter(({ name }) => name !== "POST");
    const open = rest.find(({ name }) => name === "rank results")!;
    const spans = [root!, ...rest].map((span): ViewedSpan =>
      span === open ? { ...span, end: span.start, isUnfinished: true } : span,
    );
    await using opened = await look({ traces: [spans], hash: traceHash(spans) });
    const { page } = opened;
    const orphan = `#row-${idOf(spans, "pricing", "POST /prices")}`;
    await page.locator(orphan).getByText("parent missing").waitFor();
    expect(await page.locator(".missing-parent").count()).toBe(1);
    await page.getByRole("button", { name: "1 span with a missing parent" }).click();
    await page.locator(`${orphan}.is-selected`).waitFor();
    await page.getByRole("button", { name: "1 span without an end" }).click();
    await page.getByRole("complementary").getByText("not finished").waitFor();
    expect(await page.locator(`#row-${open.spanId} .bar.is-unfinished`).count()).toBe(1);
  });

  it("say how many spans were refused, and why", async () => {
    await using opened = await look({ traces: [visitorLeft()] });
    const { page, viewer } = opened;
    await page.getByText("1 trace · 12 spans stored").waitFor();
    const send = () =>
      fetch(`${viewer.url}/v1/traces`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: "a1", spanId: "b2" }] }] }] }),
      });
    await send();
    await page.getByText("1 span refused: 'traceId' must be 32 hexadecimal digits").waitFor();
    await send();
    await page.getByText("2 spans refused").waitFor();
    expect(await page.locator("tbody tr").count()).toBe(1);
  });
});

describeInBrowser("a trace that is only a part", (look) => {
  it("says so", async () => {
    const spans = longTrace(100);
    await using opened = await look({ traces: [spans], hash: traceHash(spans), maxSpans: 60 });
    await opened.page.getByText("70 spans of this trace dropped by the viewer's limits").waitFor();
    // Its root is kept.
    await opened.page.locator(".waterfall-row").first().getByText("POST /import").waitFor();
    await opened.go("#/");
    await opened.page.getByText("partly dropped").waitFor();
    expect(await opened.page.locator("tbody tr").count()).toBe(1);
  });
});

describeInBrowser("files", (look) => {
  const spans = visitorLeft();
  const text = JSON.stringify(formatTraces(spans));

  it("are opened by a button, and by dropping them", async () => {
    await using opened = await look();
    const { page } = opened;
    const file = { name: "trace.json", mimeType: "application/json", buffer: Buffer.from(text) };
    await page.getByLabel("Open files of traces").setInputFiles(file);
    await page.getByRole("heading", { name: /^The visitor left/ }).waitFor();
    const other = JSON.stringify(formatTraces(answeredInTime()));
    await page.evaluate(`{
      const transfer = new DataTransfer();
      transfer.items.add(new File([${JSON.stringify(other)}], "other.json"));
      for (const type of ["dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
      }
    }`);
    await page.getByRole("heading", { name: /^Answered with 200/ }).waitFor();
    expect(opened.hash()).toBe(traceHash(answeredInTime()));
  });

  it.each<[string, () => Buffer]>([
    ["OTLP in lines", () => Buffer.from(spans.map((span) => JSON.stringify(formatTraces([span]))).join("\n"))],
    ["an answer of Jaeger", () => Buffer.from(JSON.stringify({ result: formatTraces(spans) }))],
    [
      "an answer of Tempo",
      () => Buffer.from(JSON.stringify({ batches: (formatTraces(spans) as { resourceSpans: object }).resourceSpans })),
    ],
    ["a gzipped file", () => gzipSync(text)],
  ])("are read: %s", async (_format, file) => {
    await using opened = await look();
    const { page } = opened;
    const input = page.getByLabel("Open files of traces");
    await input.setInputFiles({ name: "trace", mimeType: "application/octet-stream", buffer: file() });
    await page.getByRole("heading", { name: /^The visitor left/ }).waitFor();
    expect(opened.viewer.store.size.spans).toBe(spans.length);
  });

  it("that are no traces are refused with the reason", async () => {
    await using opened = await look();
    const { page } = opened;
    const file = { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("{}}") };
    await page.getByLabel("Open files of traces").setInputFiles(file);
    await page.getByText(/notes.txt: Cannot read traces: the file is neither JSON nor OTLP in protobuf/).waitFor();
    expect(opened.hash()).toBe("");
  });
});

describeInBrowser("back in the list", (look) => {
  it("the user is where they were, with the focus on the same trace", async () => {
    const many = Array.from({ length: 60 }, (_, index) => answeredInTime(100 + index, NOON + index * 1000));
    await using opened = await look({ traces: many });
    const { page } = opened;
    await page.getByText("60 traces").waitFor();
    for (let step = 0; step < 41; step++) await page.keyboard.press("j");
    await page.waitForFunction("document.querySelector('main').scrollTop > 300");
    const before = await page.evaluate("document.querySelector('main').scrollTop");
    const focused = await page.evaluate("document.activeElement.href");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: /^Answered with 200/ }).waitFor();
    await page.goBack();
    await page.getByText("60 traces").waitFor();
    expect(await page.evaluate("document.querySelector('main').scrollTop")).toBe(before);
    expect(await page.evaluate("document.activeElement.href")).toBe(focused);
  });

  it("traces are found by attribute, ordered by duration, and narrowed to a time", async () => {
    await using opened = await look({ traces: FOUR });
    const { page } = opened;
    await page.getByRole("searchbox").fill("url.query=q=attic");
    await page.getByText("1 of 4 traces").waitFor();
    await page.getByRole("searchbox").fill("");
    await page.getByLabel("Order").selectOption("longest");
    await page.getByText("4 traces").waitFor();
    await page.waitForFunction("document.querySelector('tbody td.number').textContent === '393 ms'");
    await page.getByLabel("Time").selectOption("5");
    await page.getByRole("heading", { name: "No trace is like that" }).waitFor();
    expect(opened.hash()).toBe("#/?last=5&sort=longest");
  });
});

describeInBrowser("the time of the list", (look) => {
  it("is between two instants, of which each may be absent, and one before the other", async () => {
    await using opened = await look({ traces: FOUR, hash: `#/?since=${NOON - 1000}` });
    const { page } = opened;
    await page.getByText("4 of 4 traces").waitFor();
    expect(await page.getByLabel("From time").inputValue()).toBe("2026-03-14T11:59:59");
    await page.getByLabel("To time").fill("2026-03-14T11:59:59");
    await page.getByText("0 of 4 traces").waitFor();
    await page.getByLabel("To time").fill("2026-03-14T11:59:58");
    await page.getByRole("alert").getByText("the time must begin before it ends").waitFor();
    await page.getByLabel("From time").fill("");
    await page.getByLabel("To time").fill("2026-03-14T12:30");
    await page.getByText("4 of 4 traces").waitFor();
    expect(opened.hash()).toBe("#/?until=2026-03-14T12%3A30Z");
    await page.getByRole("combobox", { name: "Time", exact: true }).selectOption("");
    expect(opened.hash()).toBe("#/");
  });

  it("is not reset by live updates while the user types it", async () => {
    await using opened = await look({ traces: FOUR, hash: "#/?since=2026-03-14T11:00Z" });
    const { page, viewer } = opened;
    await page.getByText("4 of 4 traces").waitFor();
    const field = page.getByLabel("From time");
    await field.focus();
    // The day, and the hour not yet.
    await page.keyboard.press("Delete");
    expect(await field.inputValue()).toBe("");
    await sendSpans(viewer.url, answeredInTime(7));
    await page.getByText("5 of 5 traces").waitFor();
    expect(await field.inputValue()).toBe("");
    expect(opened.hash()).toBe("#/?since=2026-03-14T11:00Z");
  });
});

describeInBrowser("a page over plain HTTP from another machine", (look) => {
  it("copies without the clipboard API", async () => {
    const spans = visitorLeft();
    await using opened = await look({ traces: [spans] });
    const { page } = opened;
    await page.addInitScript("Object.defineProperty(navigator, 'clipboard', { value: undefined })");
    await page.reload();
    await opened.go(traceHash(spans));
    await page.getByRole("button", { name: "Copy the trace id" }).click();
    await page.locator(".story").getByText("copied").waitFor();
    expect(await page.evaluate("navigator.clipboard")).toBeUndefined();
  });
});

describeInBrowser("the deadlines of many traces", (look) => {
  it("show which one passes most, where the time goes, and what went on after the client left", async () => {
    const left = visitorLeft(30).map((span) =>
      span.service === "inventory" && span.kind === "server" ? { ...span, end: span.end + 400 } : span,
    );
    const traces = [...FOUR, deadlineDeepDown(31), left];
    await using opened = await look({ traces, hash: "#/deadlines" });
    const { page } = opened;
    await page.getByText("6 traces, 6 with a deadline, 3 exceeded it, 2 clients left").waitFor();
    const first = page.getByRole("region", { name: "Which deadline passes" }).getByRole("row").nth(1);
    expect(await first.textContent()).toContain("pricing POST /pricesmaxTimeout");
    await page.getByRole("region", { name: "Work after the client left" }).getByText("GET /stock").waitFor();
    await page.getByRole("combobox", { name: /^Time/ }).selectOption("5");
    await page.getByText("0 traces").waitFor();
    expect(opened.hash()).toBe("#/deadlines?last=5");
  });

  it("are those of the time between two instants, which the address keeps", async () => {
    const early = deadlineDeepDown(31, NOON - 3_600_000);
    await using opened = await look({ traces: [...FOUR, early], hash: "#/deadlines" });
    const { page } = opened;
    await page.getByText("5 traces, 5 with a deadline, 3 exceeded it").waitFor();
    await page.getByRole("combobox", { name: /^Time/ }).selectOption("range");
    await page.getByText("0 traces").waitFor();
    await page.getByLabel("From time").fill("2026-03-14T11:00");
    await page.getByLabel("To time").fill("2026-03-14T11:30");
    await page.getByText("1 trace, 1 with a deadline, 1 exceeded it").waitFor();
    expect(opened.hash()).toBe("#/deadlines?since=2026-03-14T11%3A00Z&until=2026-03-14T11%3A30Z");
    await page.reload();
    await page.getByText("1 trace, 1 with a deadline, 1 exceeded it").waitFor();
    expect(await page.getByLabel("To time").inputValue()).toBe("2026-03-14T11:30");
    // The links to the list keep the time.
    await page.getByRole("region", { name: "Which deadline passes" }).getByRole("link", { name: "1" }).click();
    await page.getByText("1 of 5 traces").waitFor();
    expect(await page.getByLabel("From time").inputValue()).toBe("2026-03-14T11:00");
  });
});

describeInBrowser("a graph of many services", (look) => {
  it("fits the page, is filtered, and is zoomed", async () => {
    const [root] = answeredInTime();
    const spans = Array.from({ length: 34 }, (_, index): ViewedSpan => ({
      ...root!,
      spanId: (index + 1).toString(16).padStart(16, "0"),
      parentSpanId: index === 0 ? undefined : (Math.ceil(index / 3) || 1).toString(16).padStart(16, "0"),
      service: `service-${index}`,
      resource: { "service.name": `service-${index}` },
    }));
    await using opened = await look({ traces: [spans], hash: "#/graph" });
    const { page } = opened;
    await page.getByText("34 of 34 services").waitFor();
    const graph = page.locator("svg.graph");
    const { width: fit } = (await graph.boundingBox())!;
    for (const width of [600, 1024, 1440]) {
      await page.setViewportSize({ width, height: 720 });
      const scroller = page.locator(".graph-scroller");
      await expect.poll(async () => (await graph.boundingBox())!.width).toBeLessThanOrEqual(width - 40);
      const { y, height } = (await scroller.boundingBox())!;
      expect(y + height).toBeLessThanOrEqual(720);
      // The first caller is in view.
      const first = (await page.getByRole("link", { name: /^service-0: / }).boundingBox())!;
      expect(first.y).toBeGreaterThan(y);
      expect(first.y + first.height).toBeLessThan(y + height);
    }
    await page.setViewportSize({ width: 1280, height: 720 });
    await expect.poll(async () => (await graph.boundingBox())!.width).toBe(fit);
    await page.getByRole("button", { name: "Zoom in" }).click();
    expect((await graph.boundingBox())!.width).toBeGreaterThan(fit);
    await page.getByLabel("Filter services").fill("service-33");
    await page.getByText("2 of 34 services").waitFor();
    expect(await page.locator(".service-box").count()).toBe(2);
  });
});
