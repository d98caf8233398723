import { errorsPage } from "./errors.ts";
import { headersPage } from "./headers.ts";
import { optionsPage } from "./options.ts";
import { createProgram } from "./program.ts";
import { telemetryPage } from "./telemetry.ts";

/** The generated pages of `docs/reference`, by the names of their files. */
export async function referencePages(): Promise<Readonly<Record<string, string>>> {
  const program = createProgram();
  return {
    "options.md": optionsPage(program),
    "headers.md": headersPage(program),
    "telemetry.md": telemetryPage(program),
    "errors.md": await errorsPage(program),
  };
}
