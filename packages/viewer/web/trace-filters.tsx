import type { RemoteServer } from "../src/api.ts";
import type { Filters } from "./route.ts";

interface TraceFiltersProps {
  readonly filters: Filters;
  readonly services: readonly string[];
  readonly endings: readonly string[];
  readonly remote: RemoteServer | undefined;
  readonly onChange: (filters: Filters) => void;
}

/** Minutes, with their names. */
export const TIMES: readonly (readonly [string, string])[] = [
  ["5", "last 5 minutes"],
  ["15", "last 15 minutes"],
  ["60", "last hour"],
  ["360", "last 6 hours"],
  ["1440", "last day"],
  ["10080", "last week"],
];

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
      {remote !== undefined && (
        <Choice
          label="From"
          value={filters.source}
          choices={["remote"]}
          names={{ "": "this viewer", remote: `${remote.kind ?? "server"} at ${new URL(remote.url).host}` }}
          onChange={set("source")}
        />
      )}
      <Choice label="Service" value={filters.service} choices={services} onChange={set("service")} />
      <Choice label="Status" value={filters.status} choices={STATUSES} onChange={set("status")} />
      <Choice label="Ended by" value={filters.endedBy} choices={endings} onChange={set("endedBy")} />
      <Milliseconds label="Longer than" value={filters.min} onChange={set("min")} />
      <Milliseconds label="Shorter than" value={filters.max} onChange={set("max")} />
      <Choice
        label="Time"
        value={filters.last}
        choices={TIMES.map(([value]) => value)}
        names={Object.fromEntries(TIMES)}
        onChange={set("last")}
      />
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

interface FieldProps {
  readonly label: string;
  readonly value: string | undefined;
  readonly onChange: (value: string) => void;
}

interface ChoiceProps extends FieldProps {
  readonly choices: readonly string[];
  /** What to show for a choice, if not its value. */
  readonly names?: Readonly<Record<string, string>>;
}

export function Choice({ label, value = "", choices, names = {}, onChange }: ChoiceProps) {
  // The address may name a value that no stored trace has.
  const all = value === "" || choices.includes(value) ? choices : [value, ...choices];
  return (
    <label class="field">
      <span>{label}</span>
      <select value={value} onChange={({ currentTarget }) => onChange(currentTarget.value)}>
        <option value="">{names[""] ?? "any"}</option>
        {all.map((choice) => (
          <option key={choice} value={choice}>
            {names[choice] ?? choice}
          </option>
        ))}
      </select>
    </label>
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
