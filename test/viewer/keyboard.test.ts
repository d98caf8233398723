import { expect, it } from "vitest";

import { answeredInTime, deadlineDeepDown, partialAnswer, visitorLeft } from "./fixtures.ts";
import { describeInBrowser } from "./open-viewer.ts";

const FOUR = [answeredInTime(), deadlineDeepDown(), visitorLeft(), partialAnswer()];

describeInBrowser("the keyboard", (look) => {
  it("opens a trace from the list and the details of a span, and goes back", async () => {
    await using opened = await look({ traces: FOUR });
    const { page } = opened;
    const keys = async (...all: string[]): Promise<void> => {
      for (const key of all) await page.keyboard.press(key);
    };
    await page.getByText("4 traces").waitFor();
    // The newest trace is first, so the second is the one whose visitor left.
    await keys("j", "j", "Enter");
    await page.getByRole("heading", { name: /^The visitor left/ }).waitFor();
    await keys("j", "ArrowDown", "k", "Enter");
    await page.getByRole("complementary").getByRole("heading", { name: "GET", exact: true }).waitFor();
    // Open details follow the current row.
    await keys("j");
    await page.getByRole("complementary").getByRole("heading", { name: "GET /search" }).waitFor();
    await keys("Escape");
    await page.getByRole("complementary").waitFor({ state: "detached" });
    await keys("Backspace");
    await page.getByText("4 traces").waitFor();
    expect(opened.hash()).toBe("#/");
  });

  it("collapses and expands the children of a span, and moves to its parent", async () => {
    const spans = visitorLeft();
    await using opened = await look({ traces: [spans], hash: `#/trace/${spans[0]!.traceId}` });
    const { page } = opened;
    await page.getByRole("row").nth(11).waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("ArrowLeft");
    await page.getByText("+10").waitFor();
    expect(await page.getByRole("row").count()).toBe(2);
    await page.keyboard.press("ArrowLeft");
    await page.locator(".is-current[aria-level='1']").waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("ArrowRight");
    await page.getByRole("row").nth(11).waitFor();
    expect(await page.locator("[aria-selected=true]").getAttribute("aria-rowindex")).toBe("2");
  });

  it("keeps the focus on the current row of the table", async () => {
    await using opened = await look({ traces: FOUR });
    const { page } = opened;
    await page.getByText("4 traces").waitFor();
    await page.keyboard.press("j");
    // The page moves the focus after it has rendered.
    const isOn = (row: number): Promise<unknown> =>
      page.waitForFunction(`document.activeElement.closest("tr")?.rowIndex === ${row}`);
    await isOn(1);
    await page.keyboard.press("End");
    await isOn(4);
    await page.keyboard.press("k");
    await isOn(3);
    const outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle");
    expect(outline).toBe("solid");
  });

  it("focuses the search at /, where keys are text and not commands", async () => {
    await using opened = await look({ traces: FOUR });
    const { page } = opened;
    await page.getByText("4 traces").waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("ggg");
    await page.getByRole("heading", { name: "No trace is like that" }).waitFor();
    expect(await page.getByRole("searchbox").inputValue()).toBe("ggg");
    await page.keyboard.press("Escape");
    await page.keyboard.press("g");
    await page.getByRole("heading", { name: "Who calls whom" }).waitFor();
    expect(opened.hash()).toBe("#/graph");
  });

  it("selects two traces and compares them", async () => {
    await using opened = await look({ traces: FOUR });
    const { page } = opened;
    await page.getByText("4 traces").waitFor();
    for (const key of ["End", "x", "Home", "x"]) await page.keyboard.press(key);
    await page.getByText("2 of 2 chosen").waitFor();
    await page.keyboard.press("c");
    await page.getByText("12 spans in both, 2 only in B, 1 only in A").waitFor();
    expect(opened.hash()).toBe(`#/compare/${FOUR[0]![0]!.traceId}/${FOUR[3]![0]!.traceId}`);
  });

  it("shows the list of keys at ? and hides it at Escape", async () => {
    await using opened = await look({ traces: FOUR });
    const { page } = opened;
    await page.getByText("4 traces").waitFor();
    await page.keyboard.press("?");
    const help = page.getByRole("dialog", { name: "Keys" });
    await help.getByText("compare the two that are chosen").waitFor();
    await page.keyboard.press("g");
    expect(opened.hash()).toBe("");
    await page.keyboard.press("Escape");
    await help.waitFor({ state: "hidden" });
    await page.keyboard.press("g");
    await page.getByRole("heading", { name: "Who calls whom" }).waitFor();
  });

  it.each([["Enter"], [" "]])("leaves %s to a focused button", async (key) => {
    const spans = visitorLeft();
    await using opened = await look({ traces: [spans], hash: `#/trace/${spans[0]!.traceId}` });
    const { page } = opened;
    await page.getByRole("row").nth(11).waitFor();
    await page.getByRole("button", { name: "Use dark colours" }).focus();
    await page.keyboard.press(key);
    await page.getByRole("button", { name: "Use light colours" }).waitFor();
    // The key neither opened the details nor collapsed the spans.
    expect([await page.getByRole("complementary").count(), await page.getByRole("row").count()]).toEqual([0, 12]);
  });
});
