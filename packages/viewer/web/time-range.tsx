import { useEffect, useRef } from "preact/hooks";

import { Choice } from "./choice.tsx";
import { localText } from "./clock-text.ts";
import { type Filters, instantOf } from "./route.ts";

/** Minutes, with their names. */
const TIMES: readonly (readonly [string, string])[] = [
  ["5", "last 5 minutes"],
  ["15", "last 15 minutes"],
  ["60", "last hour"],
  ["360", "last 6 hours"],
  ["1440", "last day"],
  ["10080", "last week"],
];

const NAMES: Readonly<Record<string, string>> = { ...Object.fromEntries(TIMES), range: "from … to …" };

const MINUTE = 60_000;

type Range = Pick<Filters, "last" | "since" | "until">;

interface TimeRangeProps {
  readonly filters: Range;
  readonly onChange: (range: Required<Range>) => void;
}

/** The choice of a time before now, or of two instants, which the address keeps in UTC. */
export function TimeRange({ filters: { last = "", since = "", until = "" }, onChange }: TimeRangeProps) {
  const isRange = last === "" && (since !== "" || until !== "");
  const choose = (value: string): void =>
    onChange(value === "range" ? rangeOf(last) : { last: value, since: "", until: "" });
  return (
    <>
      <Choice
        label="Time"
        value={isRange ? "range" : last}
        choices={[...TIMES.map(([value]) => value), "range"]}
        names={NAMES}
        onChange={choose}
      />
      {isRange && (
        <div class="field-pair">
          <Instant label="From time" value={since} onChange={(from) => onChange({ last, since: from, until })} />
          <Instant label="To time" value={until} onChange={(to) => onChange({ last, since, until: to })} />
        </div>
      )}
    </>
  );
}

/** The range that begins as many minutes before now, and ends at the end of this minute. */
function rangeOf(last: string): Required<Range> {
  const end = Math.ceil(Date.now() / MINUTE) * MINUTE;
  const minutes = Number(last) || 60;
  return { last: "", since: isoMinute(end - minutes * MINUTE), until: isoMinute(end) };
}

function isoMinute(ms: number): string {
  return new Date(ms).toISOString().replace(/(?::00)?\.000Z$/, "Z");
}

interface InstantProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

/** A field for a date and a time in the local time zone. */
function Instant({ label, value, onChange }: InstantProps) {
  const field = useRef<HTMLInputElement>(null);
  const ms = instantOf(value);
  useEffect(() => {
    const input = field.current!;
    // Rendering must not reset what the user is typing.
    if (new Date(input.value).getTime() !== ms) input.value = ms === undefined ? "" : localText(ms);
  }, [ms]);
  const change = ({ value: local, validity }: HTMLInputElement): void => {
    // While a user types, the field is incomplete, or has a year such as 2.
    if (validity.badInput) return;
    if (local === "") return onChange("");
    const chosen = new Date(local).getTime();
    if (chosen >= 0) onChange(isoMinute(chosen));
  };
  return (
    <label class="field">
      <span>{label}</span>
      <input ref={field} type="datetime-local" step="1" onChange={({ currentTarget }) => change(currentTarget)} />
    </label>
  );
}
