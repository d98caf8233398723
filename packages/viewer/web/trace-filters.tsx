import { type Filters } from "./route.ts";

interface TraceFiltersProps {
  readonly filters: Filters;
  readonly services: readonly string[];
  readonly endings: readonly string[];
  readonly onChange: (filters: Filters) => void;
}

const STATUSES = ["error", "2xx", "4xx", "5xx", "500", "503", "504"];

export function TraceFilters({ filters, services, endings, onChange }: TraceFiltersProps) {
  const set = (name: keyof Filters) => (value: string) => onChange({ ...filters, [name]: value });
  return (
    <form class="filters" role="search" aria-label="Traces" onSubmit={(event) => event.preventDefault()}>
      <label class="search-field">
        <span class="hidden">Search by span name or trace id</span>
        <input
          id="search"
          type="search"
          placeholder="Search span names, or a trace id"
          value={filters.text ?? ""}
          onInput={({ currentTarget }) => set("text")(currentTarget.value)}
          autocomplete="off"
          spellcheck={false}
        />
        <kbd aria-hidden="true">/</kbd>
      </label>
      <Choice label="Service" value={filters.service} choices={services} onChange={set("service")} />
      <Choice label="Status" value={filters.status} choices={STATUSES} onChange={set("status")} />
      <Choice label="Ended by" value={filters.endedBy} choices={endings} onChange={set("endedBy")} />
      <Milliseconds label="Longer than" value={filters.min} onChange={set("min")} />
      <Milliseconds label="Shorter than" value={filters.max} onChange={set("max")} />
    </form>
  );
}

interface FieldProps {
  readonly label: string;
  readonly value: string | undefined;
  readonly onChange: (value: string) => void;
}

function Choice({ label, value = "", choices, onChange }: FieldProps & { readonly choices: readonly string[] }) {
  // The address may name a value that no stored trace has.
  const all = value === "" || choices.includes(value) ? choices : [value, ...choices];
  return (
    <label class="field">
      <span>{label}</span>
      <select value={value} onChange={({ currentTarget }) => onChange(currentTarget.value)}>
        <option value="">any</option>
        {all.map((choice) => (
          <option key={choice} value={choice}>
            {choice}
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
