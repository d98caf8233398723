/** One thing that the doctor has found. */
export interface Finding {
  /** The check: stable, for scripts. */
  readonly check: string;
  /** An error breaks deadlines or traces; a warning may; an info names what cannot be checked, or what works. */
  readonly severity: "error" | "warning" | "info";
  readonly message: string;
  /** File and line, package, variable or URL. */
  readonly where?: string;
  readonly remedy?: string;
}
