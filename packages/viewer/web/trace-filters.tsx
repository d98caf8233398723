import type { RemoteServer } from "../src/api.ts";
import { Choice, type FieldProps, SourceChoice } from "./choice.tsx";
import type { Filters } from "./route.ts";
import { TimeRange } from "./time-range.tsx";

interface TraceFiltersProps {
  readonly filters: Filters;
  readonly services: readonly string[];
  readonly endings: readonly string[];
  readonly remote: RemoteServer | undefined;
  readonly onChange: (filters: Filters) => void;
}

const SORTS: readonly (readonly [string, string])[] = [
  ["latest", "latest start"],
  ["longest", "longest"],
  ["largest", "most spans"],
];

const STATUSES = ["error", "2xx", "4xx", "5xx", "500", "503", "504"];

export function TraceFilters({ filters, services, endings, remote, onChange }: TraceFiltersProps) {
  const set = (name: keyof Filters) => (value: string) => onChange({ ...filters, [name]: value });
  return (
    <form class="filters" role="search" aria-label="Traces" onSubmit={(event) => event.preventDefault()}>
      <label class="search-field">
        <span class="hidden">Search by span name, attribute, error or id</span>
        <input
          id="search"
          type="search"
          placeholder="Name, key=value, error, or an id"
          value={filters.text ?? ""}
          onInput={({ currentTarget }) => set("text")(currentTarget.value)}
          autocomplete="off"
          spellcheck={false}
        />
        <kbd aria-hidden="true">/</kbd>
      </label>
      <SourceChoice value={filters.source} remote={remote} onChange={set("source")} />
      <Choice label="Service" value={filters.service} choices={services} onChange={set("service")} />
      <Choice label="Status" value={filters.status} choices={STATUSES} onChange={set("status")} />
      <Choice label="Ended by" value={filters.endedBy} choices={endings} onChange={set("endedBy")} />
      <Milliseconds label="Longer than" value={filters.min} onChange={set("min")} />
      <Milliseconds label="Shorter than" value={filters.max} onChange={set("max")} />
      <TimeRange filters={filters} onChange={(range) => onChange({ ...filters, ...range })} />
      <Choice
        label="Order"
        value={filters.sort}
        choices={SORTS.map(([value]) => value)}
        names={{ "": "newest", ...Object.fromEntries(SORTS) }}
        onChange={set("sort")}
      />
    </form>
  );
}

function Milliseconds({ label, value = "", onChange }: FieldProps) {
  return (
    <label class="field">
      <span>{label}</span>
      <span class="with-unit">
        <input
          type="number"
          min="0"
          step="any"
          inputMode="decimal"
          value={value}
          onInput={({ currentTarget }) => onChange(currentTarget.value)}
        />
        <span aria-hidden="true">ms</span>
      </span>
    </label>
  );
}
