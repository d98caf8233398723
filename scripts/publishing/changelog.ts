// The entry of a version in CHANGELOG.md.

const HEADING = /^## (\d+\.\d+\.\d+(?:-[\w.]+)?), (not released|\d{4}-\d{2}-\d{2})$/;

export interface ChangelogEntry {
  /** `not released` before the release. */
  readonly date: string;
  readonly text: string;
}

/** Returns the entry of a version, or `undefined`. */
export function changelogEntry(changelog: string, version: string): ChangelogEntry | undefined {
  const lines = changelog.split("\n");
  const start = lines.findIndex((line) => HEADING.exec(line)?.[1] === version);
  if (start === -1) return undefined;
  const length = lines.slice(start + 1).findIndex((line) => line.startsWith("## "));
  const end = length === -1 ? lines.length : start + 1 + length;
  return {
    date: HEADING.exec(lines[start]!)![2]!,
    text: lines
      .slice(start + 1, end)
      .join("\n")
      .trim(),
  };
}

/** Returns the changelog in which the version is released on a day (`2026-11-26`). */
export function withDate(changelog: string, version: string, day: string): string {
  return changelog.replace(`## ${version}, not released`, `## ${version}, ${day}`);
}
