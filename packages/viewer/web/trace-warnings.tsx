import type { TracePicture } from "./trace-picture.ts";

interface TraceWarningsProps {
  readonly picture: TracePicture;
  readonly onSelect: (spanId: string) => void;
  readonly correctsClocks: boolean;
  readonly onCorrect: (corrects: boolean) => void;
}

/** What is missing or doubtful in the trace. Each warning selects the first span that it is about. */
export function TraceWarnings({ picture: { warnings }, onSelect, correctsClocks, onCorrect }: TraceWarningsProps) {
  if (warnings.length === 0) return null;
  return (
    <ul class="warnings" aria-label="Warnings">
      {warnings.map(({ text, spanIds: [first] }) => (
        <li key={text}>
          {first === undefined ? (
            text
          ) : (
            <button type="button" class="warning" onClick={() => onSelect(first)}>
              {text}
            </button>
          )}
          {text.startsWith("clocks differ") && (
            <label>
              <input
                type="checkbox"
                checked={correctsClocks}
                onChange={({ currentTarget }) => onCorrect(currentTarget.checked)}
              />
              correct
            </label>
          )}
        </li>
      ))}
    </ul>
  );
}
