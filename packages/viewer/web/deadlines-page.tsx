import { durationText } from "../src/analysis/duration-text.ts";
import type { DeadlineReport } from "../src/api.ts";
import { Notice, Problem } from "./notice.tsx";
import { apiQuery, type Filters, listLink } from "./route.ts";
import { knowServices, ServiceTag } from "./service-tag.tsx";
import { Choice, TIMES } from "./trace-filters.tsx";
import { useFetched } from "./use-fetched.ts";
import { useKeys } from "./use-keys.ts";
import { backToList, replaceWith } from "./use-route.ts";

interface DeadlinesPageProps {
  readonly filters: Filters & { readonly route?: string };
  readonly revision: number;
}

/** The deadlines of all stored traces: which ones pass, where the time is spent, and what went on for no client. */
export function DeadlinesPage({ filters, revision }: DeadlinesPageProps) {
  const { last = "", route = "" } = filters;
  const query = `${apiQuery({ last }, Date.now())}&route=${encodeURIComponent(route)}`;
  const { value: report, problem } = useFetched<DeadlineReport>(`./api/deadlines?${query}`, revision, true);
  useKeys({ Escape: backToList, Backspace: backToList, "/": backToList });
  const choose = (changed: { last?: string; route?: string }): void => {
    const params = new URLSearchParams(Object.entries({ last, route, ...changed }).filter(([, value]) => value !== ""));
    replaceWith(`#/deadlines${params.size > 0 ? `?${params}` : ""}`);
  };
  if (problem !== undefined) return <Problem message={problem} />;
  if (report === undefined) return <p class="loading">Loading …</p>;
  knowServices(report.hops.map(({ service }) => service));
  return (
    <section class="deadlines-page">
      <h1>Deadlines</h1>
      <form class="filters" aria-label="Deadlines" onSubmit={(event) => event.preventDefault()}>
        <Choice
          label="Time"
          value={last}
          choices={TIMES.map(([value]) => value)}
          names={Object.fromEntries(TIMES)}
          onChange={(value) => choose({ last: value })}
        />
        <Choice label="Route" value={route} choices={report.routes} onChange={(value) => choose({ route: value })} />
        <p class="muted" role="status">
          {plural(report.traces, "trace")}, {report.withDeadline.toLocaleString("en")} with a deadline,{" "}
          {report.exceeded.toLocaleString("en")} exceeded it, {plural(report.clientLeft, "client")} left
        </p>
      </form>
      {report.hops.length === 0 ? (
        <Notice title="No deadlines yet">
          <p>Spans of Throughline carry the budget of each hop. None of the stored traces has one.</p>
        </Notice>
      ) : (
        <>
          <HopTable {...report} />
          <SpentTable {...report} />
          <AfterTable {...report} />
        </>
      )}
    </section>
  );
}

function HopTable({ hops }: DeadlineReport) {
  return (
    <Table
      title="Which deadline passes"
      heads={["Hop", "Set by", "Requests", "Passed first", "Cut the budget", "Budget p50", "Used p50", "Used p95"]}
    >
      {hops.map(({ service, name, source, ...hop }) => (
        <tr key={`${service} ${name} ${source}`}>
          <HopName service={service} name={name} />
          <td class="muted">{source ?? "–"}</td>
          <td class="number">{hop.requests.toLocaleString("en")}</td>
          <td class={hop.fired > 0 ? "number has-fired" : "number"}>
            {hop.fired > 0 ? (
              <a href={listLink({ service, endedBy: "" })}>{hop.fired.toLocaleString("en")}</a>
            ) : (
              hop.fired
            )}
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

function AfterTable({ afterClientLeft }: DeadlineReport) {
  if (afterClientLeft.length === 0) return null;
  return (
    <Table title="Work after the client left" heads={["Span", "Times", "In all", "At most"]}>
      {afterClientLeft.map(({ service, name, count, total, most }) => (
        <tr key={`${service} ${name}`}>
          <HopName service={service} name={name} />
          <td class="number">{count.toLocaleString("en")}</td>
          <td class="number">{durationText(total)}</td>
          <td class="number">{durationText(most)}</td>
        </tr>
      ))}
    </Table>
  );
}

function HopName({ service, name }: { readonly service: string; readonly name: string }) {
  return (
    <th scope="row">
      <a href={listLink({ service, text: name })}>
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
