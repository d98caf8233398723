import { useState } from "preact/hooks";

import type { TraceList } from "../src/api.ts";
import { EmptyList } from "./empty-list.tsx";
import { Notice, Problem } from "./notice.tsx";
import { apiQuery, type Filters, listLink, queryOf } from "./route.ts";
import { TraceFilters } from "./trace-filters.tsx";
import { TraceTable } from "./trace-table.tsx";
import { useFetched } from "./use-fetched.ts";
import { useKeys } from "./use-keys.ts";
import { goTo, replaceWith } from "./use-route.ts";

interface TraceListPageProps {
  readonly filters: Filters;
  readonly revision: number;
  readonly chosen: readonly string[];
  readonly onChoose: (chosen: readonly string[]) => void;
  readonly onCompare: () => void;
}

const PAGE = 200;

export function TraceListPage({ filters, revision, chosen, onChoose, onCompare }: TraceListPageProps) {
  const [limit, setLimit] = useState(PAGE);
  const isRemote = filters.source === "remote";
  const { value: list, problem } = useFetched<TraceList>(
    `./api/${isRemote ? "remote/" : ""}traces?limit=${limit}&${apiQuery(filters, Date.now())}`,
    // Live updates are of this viewer.
    isRemote ? 0 : revision,
    true,
  );
  const isNarrowed = queryOf({ ...filters, sort: "", source: "" }) !== "";
  useKeys({
    "/": () => document.querySelector<HTMLInputElement>("#search")?.focus(),
    Escape: () => isNarrowed && goTo("#/"),
  });
  return (
    <>
      <h1 class="hidden">Traces</h1>
      <TraceFilters
        filters={filters}
        services={list?.services ?? []}
        endings={list?.endings ?? []}
        remote={list?.remote}
        onChange={(changed) => replaceWith(listLink(changed))}
      />
      {problem !== undefined && <Problem message={problem} />}
      {list !== undefined && problem === undefined && (
        <>
          <ListStatus list={list} isNarrowed={isNarrowed} chosen={chosen} onChoose={onChoose} onCompare={onCompare} />
          {list.traces.length === 0 && isRemote ? (
            <Notice title="No traces found">
              <p>
                {list.remote?.kind === "Jaeger" && !filters.service
                  ? "Jaeger searches within a service: choose one."
                  : `${list.remote?.kind ?? "The server"} has no such traces in this time.`}
              </p>
            </Notice>
          ) : list.traces.length === 0 ? (
            <EmptyList isNarrowed={isNarrowed} />
          ) : (
            <TraceTable
              traces={list.traces}
              services={list.services}
              chosen={chosen}
              onChoose={onChoose}
              place={listLink(filters)}
            />
          )}
          {list.matching > list.traces.length && list.traces.length === limit && limit < 1000 && (
            <button type="button" class="more" onClick={() => setLimit(Math.min(1000, limit * 2))}>
              Show more
            </button>
          )}
        </>
      )}
    </>
  );
}

interface ListStatusProps extends Omit<TraceListPageProps, "filters" | "revision"> {
  readonly list: TraceList;
  readonly isNarrowed: boolean;
}

function ListStatus({
  list: { matching, stored, dropped, refused },
  isNarrowed,
  chosen,
  onChoose,
  onCompare,
}: ListStatusProps) {
  return (
    <div class="list-status">
      <p role="status">
        <b>{matching.toLocaleString("en")}</b> {isNarrowed ? `of ${stored.traces.toLocaleString("en")} ` : ""}
        {(isNarrowed ? stored.traces : matching) === 1 ? "trace" : "traces"}
        <span class="muted">
          {" "}
          · {stored.spans.toLocaleString("en")} {stored.spans === 1 ? "span" : "spans"} stored
          {dropped > 0 && ` · ${dropped.toLocaleString("en")} dropped to make room`}
        </span>
        {refused !== undefined && (
          <span class="refused-spans">
            {" "}
            · {refused.spans.toLocaleString("en")} {refused.spans === 1 ? "span" : "spans"} refused: {refused.reason}
          </span>
        )}
      </p>
      <span class="spring" />
      {chosen.length > 0 && (
        <div class="choice">
          <span class="muted">{chosen.length} of 2 chosen</span>
          <button type="button" disabled={chosen.length !== 2} onClick={onCompare}>
            Compare
          </button>
          <button type="button" class="quiet" onClick={() => onChoose([])}>
            Clear
          </button>
        </div>
      )}
    </div>
  );
}
