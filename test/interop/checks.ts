let passed = 0;
let failed = 0;
let skipped = 0;

/** Counts a check. Returns what to print after it. */
export function check(holds: boolean): string {
  if (holds) passed += 1;
  else failed += 1;
  return holds ? "" : " FAILED";
}

/** Counts the checks of another program. */
export function addCounts(counts: { readonly passed: number; readonly failed: number }): void {
  passed += counts.passed;
  failed += counts.failed;
}

/** Reports that something was not tested. */
export function skip(what: string, missing: string): void {
  skipped += 1;
  console.log(`\nSKIPPED: ${what} was not tested, because it needs ${missing}.`);
}

/** Prints the counts, and sets the exit code. */
export function printCounts(): void {
  console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
  if (failed > 0) process.exitCode = 1;
}
