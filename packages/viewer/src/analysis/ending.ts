import type { ViewedSpan } from "../span.ts";
import { enderOf, errorTypeOf, statusOf } from "./span-facts.ts";

/** The severity, which decides the color. */
export type Tone = "good" | "plain" | "left" | "refused" | "late" | "bad";

/** A short label of what ended a span. */
export interface Ending {
  readonly label: string;
  readonly tone: Tone;
}

const TONES: Readonly<Record<string, Tone>> = {
  response: "good",
  refusal: "refused",
  deadline: "late",
  client: "left",
  cancel: "left",
  error: "bad",
};

const LABELS: Readonly<Record<string, string>> = {
  refusal: "refused",
  deadline: "deadline",
  client: "client left",
  cancel: "canceled",
};

export function endingOf(span: ViewedSpan): Ending {
  const ending = describeEnding(enderOf(span), statusOf(span), span.failed, errorTypeOf(span));
  // The status of an RPC is a name, not a number.
  const code = span.attributes["rpc.response.status_code"];
  return ending.label === "response" && typeof code === "string" ? { ...ending, label: code } : ending;
}

/** The list of traces, which has no spans, calls this directly. */
export function describeEnding(
  by: string | undefined,
  status: number | undefined,
  failed: boolean,
  errorType?: string,
): Ending {
  const answered = status === undefined ? "" : String(status);
  if (by !== undefined && Object.hasOwn(LABELS, by)) {
    return { label: `${LABELS[by]} ${answered}`.trimEnd(), tone: TONES[by] ?? "plain" };
  }
  if (by === "error" || failed || (status ?? 0) >= 500) {
    return { label: answered || (errorType ?? "error"), tone: "bad" };
  }
  if ((status ?? 0) >= 400) return { label: answered, tone: "refused" };
  // Without a status or `throughline.ended_by` the label is empty.
  return { label: answered || (by ?? ""), tone: status === undefined && by === undefined ? "plain" : "good" };
}
