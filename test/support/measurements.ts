import { recordMetrics, type RecordedMetrics, type RecordedSeries } from "@throughline/testing/metrics";
import { afterEach, beforeEach } from "vitest";

/** Records metrics during each test of the suite. Returns a reader of the series of an instrument. */
export function measureDuringEach(): (name: string) => Promise<RecordedSeries[]> {
  let recorded: RecordedMetrics;
  beforeEach(() => void (recorded = recordMetrics()));
  afterEach(() => recorded.stop());
  return (name) => recorded.series(name);
}
