import { useLayoutEffect, useRef } from "preact/hooks";

import type { TraceSummary } from "../src/api.ts";
import { knowServices } from "./service-tag.tsx";
import { TraceTableRow } from "./trace-table-row.tsx";
import { useKeys } from "./use-keys.ts";

interface TraceTableProps {
  readonly traces: readonly TraceSummary[];
  readonly services: readonly string[];
  readonly chosen: readonly string[];
  readonly onChoose: (chosen: readonly string[]) => void;
  /** The address of the list, to which a user may come back. */
  readonly place: string;
}

/** Where the user was in the list when it was last left. */
let lastPlace: { readonly place: string; readonly scrollTop: number; readonly traceId: string | undefined } | undefined;

export function TraceTable({ traces, services, chosen, onChoose, place }: TraceTableProps) {
  const body = useRef<HTMLTableSectionElement>(null);
  useLayoutEffect(() => {
    const table = body.current!;
    const scroller = table.closest("main")!;
    if (lastPlace?.place === place) {
      scroller.scrollTop = lastPlace.scrollTop;
      const { traceId } = lastPlace;
      if (traceId !== undefined) table.querySelector<HTMLElement>(`[data-trace="${traceId}"] a`)?.focus();
      lastPlace = undefined;
    }
    let left = { scrollTop: scroller.scrollTop, traceId: undefined as string | undefined };
    // A click on a row that opens its trace moves no focus.
    const remember = ({ target }: Event): void => {
      const row = target instanceof Element ? target.closest<HTMLElement>("[data-trace]") : null;
      left = { scrollTop: scroller.scrollTop, traceId: row?.dataset["trace"] };
    };
    const follow = (): void => void (left = { ...left, scrollTop: scroller.scrollTop });
    table.addEventListener("focusin", remember);
    table.addEventListener("click", remember);
    scroller.addEventListener("scroll", follow);
    return () => {
      table.removeEventListener("focusin", remember);
      table.removeEventListener("click", remember);
      scroller.removeEventListener("scroll", follow);
      lastPlace = { place, ...left };
    };
  }, [place]);
  knowServices(services);
  const longest = traces.reduce((most, { duration }) => Math.max(most, duration), 0);

  const links = (): HTMLAnchorElement[] => [...body.current!.querySelectorAll<HTMLAnchorElement>("a.trace-link")];
  const focused = (): number => links().findIndex((link) => link.closest("tr")!.contains(document.activeElement));
  const focus = (index: number): void => {
    const all = links();
    const link = all[Math.max(0, Math.min(all.length - 1, index))];
    link?.focus();
    link?.closest("tr")?.scrollIntoView({ block: "nearest" });
  };
  // A third choice replaces the first.
  const toggle = (traceId: string): void =>
    onChoose(chosen.includes(traceId) ? chosen.filter((id) => id !== traceId) : [...chosen, traceId].slice(-2));
  const next = (): void => focus(focused() + 1);
  const previous = (): void => focus(focused() === -1 ? traces.length - 1 : focused() - 1);
  useKeys({
    j: next,
    ArrowDown: next,
    k: previous,
    ArrowUp: previous,
    Home: () => focus(0),
    End: () => focus(traces.length - 1),
    x: () => {
      const trace = traces[focused()];
      if (trace !== undefined) toggle(trace.traceId);
    },
  });
  return (
    <table class="trace-table">
      <thead>
        <tr>
          <th scope="col">
            <span class="hidden">Compare</span>
          </th>
          <th scope="col">Started</th>
          <th scope="col">Request</th>
          <th scope="col">Ended by</th>
          <th scope="col" class="number">
            Took
          </th>
          <th scope="col">
            <span class="hidden">Duration, and the deadline</span>
          </th>
          <th scope="col" class="number">
            Budget
          </th>
          <th scope="col" class="number">
            Spans
          </th>
          <th scope="col">Services</th>
        </tr>
      </thead>
      <tbody ref={body}>
        {traces.map((trace) => (
          <TraceTableRow
            key={trace.traceId}
            trace={trace}
            longest={longest}
            isChosen={chosen.includes(trace.traceId)}
            onToggle={toggle}
          />
        ))}
      </tbody>
    </table>
  );
}
