import type { RemoteServer } from "../src/api.ts";

export interface FieldProps {
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

interface SourceChoiceProps extends Omit<FieldProps, "label"> {
  readonly remote: RemoteServer | undefined;
}

/** The choice between the traces of this viewer and those of the option `from`, if there is one. */
export function SourceChoice({ value, remote, onChange }: SourceChoiceProps) {
  // A search that fails must leave the way back to the traces of this viewer.
  if (remote === undefined && value !== "remote") return null;
  const place = remote === undefined ? "another server" : `${remote.kind ?? "server"} at ${new URL(remote.url).host}`;
  const names = { "": "this viewer", remote: place };
  return <Choice label="From" value={value} choices={["remote"]} names={names} onChange={onChange} />;
}
