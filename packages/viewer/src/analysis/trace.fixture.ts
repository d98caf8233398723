import { span } from "../span.fixture.ts";
import type { ViewedSpan } from "../span.ts";

type SpanSpec = readonly [
  at: readonly [number, number],
  given?: Partial<ViewedSpan> & { by?: string; budget?: number; source?: string; status?: number },
];

/** Creates a trace for a test. The keys are paths of span names such as `gateway/search`. */
export function trace(specs: Readonly<Record<string, SpanSpec>>): ViewedSpan[] {
  const paths = Object.keys(specs);
  return Object.entries(specs).map(([path, [[start, end], { by, budget, source, status, ...given } = {}]], index) => {
    const above = paths.indexOf(path.split("/").slice(0, -1).join("/"));
    const name = path.split("/").at(-1)!;
    const attributes = {
      "throughline.ended_by": by,
      "throughline.deadline.budget_ms": budget,
      "throughline.deadline.source": source,
      "http.response.status_code": status,
    };
    return span("0af7651916cd43dd8448eb211c80319c", `id-${index}`, {
      parentSpanId: above === -1 ? undefined : `id-${above}`,
      service: name,
      name,
      kind: "server",
      start,
      end,
      attributes: Object.fromEntries(
        Object.entries(attributes).filter((entry): entry is [string, string | number] => entry[1] !== undefined),
      ),
      ...given,
    });
  });
}
