import { useRef, useState } from "preact/hooks";

import { durationText } from "../src/analysis/duration-text.ts";
import type { DeadlineReport } from "../src/api.ts";
import { Choice, SourceChoice } from "./choice.tsx";
import { Notice, Problem } from "./notice.tsx";
import { type DeadlineFilters, deadlinesApiQuery, deadlinesLink, type Filters, listLink } from "./route.ts";
import { knowServices, ServiceTag } from "./service-tag.tsx";
import { TimeRange } from "./time-range.tsx";
import { useFetched } from "./use-fetched.ts";
import { useKeys } from "./use-keys.ts";
import { backToList, replaceWith } from "./use-route.ts";

interface DeadlinesPageProps {
  readonly filters: DeadlineFilters;
  readonly revision: number;
}

/** Numbers of traces of another server to read. */
const LIMITS = ["200", "500"];

/** The deadlines of many traces: which ones pass, where the time is spent, and what went on for no client. */
export function DeadlinesPage({ filters, revision }: DeadlinesPageProps) {
  const isRemote = filters.source === "remote";
  const [searchedAt, setSearchedAt] = useState(Date.now);
  const query = deadlinesApiQuery(filters, isRemote ? searchedAt : Date.now());
  const { value, problem, isLoading } = useFetched<DeadlineReport>(
    `./api/${isRemote ? "remote/" : ""}deadlines?${query}`,
    // Live updates are of this viewer; the other server is asked again on demand.
    isRemote ? searchedAt : revision,
    true,
  );
  useKeys({ Escape: backToList, Backspace: backToList, "/": backToList });
  const last = useRef(value);
  last.current = value ?? last.current;
  const choose = (changed: DeadlineFilters): void => {
    setSearchedAt(Date.now());
    replaceWith(deadlinesLink({ ...filters, ...changed }));
  };
  // An error keeps the filters, so that the user can change them.
  const report = value ?? last.current;
  const isStale = isRemote !== (report?.search !== undefined);
  return (
    <section class="deadlines-page">
      <h1>Deadlines</h1>
      <DeadlineFilterFields filters={filters} report={report} onChange={choose} />
      {problem !== undefined ? (
        <Problem message={problem} />
      ) : value === undefined || isStale ? (
        <p class="loading">{isRemote ? "Searching and reading traces …" : "Loading …"}</p>
      ) : (
        <>
          <ReportStatus report={value} isLoading={isLoading} onSearch={() => setSearchedAt(Date.now())} />
          <Report report={value} filters={filters} />
        </>
      )}
    </section>
  );
}

interface FilterFieldsProps {
  readonly filters: DeadlineFilters;
  readonly report: DeadlineReport | undefined;
  readonly onChange: (changed: DeadlineFilters) => void;
}

function DeadlineFilterFields({ filters, report, onChange }: FilterFieldsProps) {
  const { source, service, route, limit } = filters;
  // A search for a route returns only that one.
  const routes = useRef<readonly string[]>([]);
  if (report !== undefined && (route ?? "") === "") routes.current = report.routes;
  const isRemote = source === "remote";
  return (
    <form class="filters" aria-label="Deadlines" onSubmit={(event) => event.preventDefault()}>
      <SourceChoice
        value={source}
        remote={report?.remote}
        onChange={(value) => onChange({ source: value, service: "", route: "", limit: "" })}
      />
      {isRemote && (
        <Choice
          label="Service"
          value={service}
          choices={report?.search?.services ?? []}
          onChange={(value) => onChange({ service: value, route: "" })}
        />
      )}
      <TimeRange filters={filters} onChange={onChange} />
      <Choice
        label="Route"
        value={route}
        choices={[...new Set([...routes.current, ...(report?.routes ?? [])])].sort()}
        onChange={(value) => onChange({ route: value })}
      />
      {isRemote && (
        <Choice
          label="At most"
          value={limit}
          choices={LIMITS}
          names={{ "": "100 traces", ...Object.fromEntries(LIMITS.map((count) => [count, `${count} traces`])) }}
          onChange={(value) => onChange({ limit: value })}
        />
      )}
    </form>
  );
}

interface ReportStatusProps {
  readonly report: DeadlineReport;
  readonly isLoading: boolean;
  readonly onSearch: () => void;
}

function ReportStatus({ report: { search, remote, ...report }, isLoading, onSearch }: ReportStatusProps) {
  return (
    <div class="report-status">
      <p class="muted" role="status">
        {plural(report.traces, "trace")}, {report.withDeadline.toLocaleString("en")} with a deadline,{" "}
        {report.exceeded.toLocaleString("en")} exceeded it, {plural(report.clientLeft, "client")} left
        {search !== undefined && search.found > 0 && (
          <>
            .{" "}
            {search.found >= search.limit
              ? `These are the first ${search.found.toLocaleString("en")} traces that ${remote?.kind} found; there may be more.`
              : `${remote?.kind} found no more.`}
            {search.unread > 0 && ` ${plural(search.unread, "trace")} could not be read: ${search.reason}`}
          </>
        )}
      </p>
      {search !== undefined && (
        <button type="button" disabled={isLoading} onClick={onSearch}>
          {isLoading ? "Searching …" : "Search again"}
        </button>
      )}
    </div>
  );
}

interface ReportProps {
  readonly report: DeadlineReport;
  readonly filters: DeadlineFilters;
}

function Report({ report, filters }: ReportProps) {
  const { remote, search } = report;
  knowServices(report.hops.map(({ service }) => service));
  if (report.hops.length > 0) {
    const { source = "", last = "", since = "", until = "" } = filters;
    const place: Filters = { source, last, since, until };
    return (
      <>
        <HopTable {...report} place={place} />
        <SpentTable {...report} />
        <AfterTable {...report} place={place} />
      </>
    );
  }
  return (
    <Notice title={search === undefined ? "No deadlines yet" : "No deadlines found"}>
      <p>
        {search === undefined
          ? "Spans of Throughline carry the budget of each hop. None of the stored traces has one."
          : remote?.kind === "Jaeger" && !filters.service
            ? "Jaeger searches within a service: choose one."
            : `${remote?.kind} has no traces with deadlines in this time.`}
      </p>
    </Notice>
  );
}

/** A report and the filters that links to the list of traces keep. */
interface TableOfSpansProps extends DeadlineReport {
  readonly place: Filters;
}

function HopTable({ hops, place }: TableOfSpansProps) {
  return (
    <Table
      title="Which deadline passes"
      heads={["Hop", "Set by", "Requests", "Passed first", "Cut the budget", "Budget p50", "Used p50", "Used p95"]}
    >
      {hops.map(({ service, name, source, ...hop }) => (
        <tr key={`${service} ${name} ${source}`}>
          <HopName service={service} name={name} place={place} />
          <td class="muted">{source ?? "–"}</td>
          <td class="number">{hop.requests.toLocaleString("en")}</td>
          <td class={hop.fired > 0 ? "number has-fired" : "number"}>
            {hop.fired > 0 ? <a href={listLink({ ...place, service })}>{hop.fired.toLocaleString("en")}</a> : hop.fired}
          </td>
          <td class="number">{hop.cut.toLocaleString("en")}</td>
          <td class="number">{durationText(hop.budgetP50)}</td>
          <td class="number">{percent(hop.usedP50)}</td>
          <td class={hop.usedP95 >= 0.9 ? "number has-fired" : "number"}>{percent(hop.usedP95)}</td>
        </tr>
      ))}
    </Table>
  );
}

function SpentTable({ spent }: DeadlineReport) {
  return (
    <Table title="Where the time is spent" heads={["Service", "Own time", "Share", ""]}>
      {spent.map(({ service, ms, share }) => (
        <tr key={service}>
          <th scope="row">
            <ServiceTag name={service} />
          </th>
          <td class="number">{durationText(ms)}</td>
          <td class="number">{percent(share)}</td>
          <td class="share-cell">
            <span class="share" style={{ width: `${share * 100}%` }} />
          </td>
        </tr>
      ))}
    </Table>
  );
}

function AfterTable({ afterClientLeft, place }: TableOfSpansProps) {
  if (afterClientLeft.length === 0) return null;
  return (
    <Table title="Work after the client left" heads={["Span", "Times", "In all", "At most"]}>
      {afterClientLeft.map(({ service, name, count, total, most }) => (
        <tr key={`${service} ${name}`}>
          <HopName service={service} name={name} place={place} />
          <td class="number">{count.toLocaleString("en")}</td>
          <td class="number">{durationText(total)}</td>
          <td class="number">{durationText(most)}</td>
        </tr>
      ))}
    </Table>
  );
}

interface HopNameProps {
  readonly service: string;
  readonly name: string;
  readonly place: Filters;
}

function HopName({ service, name, place }: HopNameProps) {
  return (
    <th scope="row">
      <a href={listLink({ ...place, service, text: name })}>
        <ServiceTag name={service} />
      </a>{" "}
      {name}
    </th>
  );
}

interface TableProps {
  readonly title: string;
  readonly heads: readonly string[];
  readonly children: preact.ComponentChildren;
}

function Table({ title, heads, children }: TableProps) {
  return (
    <section class="report">
      <h2>{title}</h2>
      <div class="report-scroller" tabIndex={0} role="region" aria-label={title}>
        <table>
          <thead>
            <tr>
              {heads.map((head, index) => (
                <th key={head} scope="col" class={index === 0 || head === "Set by" ? "" : "number"}>
                  {head === "" ? <span class="hidden">Share as a bar</span> : head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>{children}</tbody>
        </table>
      </div>
    </section>
  );
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function plural(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${count === 1 ? noun : `${noun}s`}`;
}
