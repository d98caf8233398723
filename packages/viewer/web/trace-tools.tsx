import type { TracePicture } from "./trace-picture.ts";
import type { SpanFind } from "./use-span-find.ts";

/** What the waterfall draws besides the spans. */
export interface WaterfallModes {
  readonly showsCritical: boolean;
  readonly groupsRuns: boolean;
}

interface TraceToolsProps {
  readonly picture: TracePicture;
  readonly find: SpanFind;
  readonly modes: WaterfallModes;
  readonly onModes: (modes: WaterfallModes) => void;
  /** Number of levels to show; 0 shows all. */
  readonly onLevels: (levels: number) => void;
  readonly onNextError: () => void;
}

const LEVELS = [1, 2, 3, 4, 6];

/** Finds spans in the trace, and chooses what the waterfall shows. */
export function TraceTools({ picture, find, modes, onModes, onLevels, onNextError }: TraceToolsProps) {
  const { query, matches, place, setQuery, step } = find;
  const errors = picture.failed.length;
  return (
    <form class="trace-tools" role="search" aria-label="Spans" onSubmit={(event) => event.preventDefault()}>
      <label class="search-field">
        <span class="hidden">Find in this trace</span>
        <input
          id="find"
          type="search"
          placeholder="Find name, attribute, id, error"
          value={query.text}
          onInput={({ currentTarget }) => setQuery({ ...query, text: currentTarget.value })}
          onKeyDown={(event) => {
            if (event.key !== "Enter") return;
            event.preventDefault();
            step(event.shiftKey ? -1 : 1);
          }}
          autocomplete="off"
          spellcheck={false}
        />
        <kbd aria-hidden="true">f</kbd>
      </label>
      <select
        aria-label="Find in service"
        value={query.service ?? ""}
        onChange={({ currentTarget }) => setQuery({ ...query, service: currentTarget.value || undefined })}
      >
        <option value="">all services</option>
        {picture.services.map((service) => (
          <option key={service} value={service}>
            {service}
          </option>
        ))}
      </select>
      {find.isActive && (
        <span class="find-steps">
          <span role="status">
            {matches.length === 0
              ? "no match"
              : `${(place + 1).toLocaleString("en")} of ${matches.length.toLocaleString("en")}`}
          </span>
          <button
            type="button"
            class="quiet"
            disabled={matches.length === 0}
            onClick={() => step(-1)}
            aria-label="Previous match"
            title="Previous match (N)"
          >
            ↑
          </button>
          <button
            type="button"
            class="quiet"
            disabled={matches.length === 0}
            onClick={() => step(1)}
            aria-label="Next match"
            title="Next match (n)"
          >
            ↓
          </button>
        </span>
      )}
      {errors > 0 && (
        <button type="button" class="error-count" onClick={onNextError} title="Next failed span (e)">
          {errors.toLocaleString("en")} {errors === 1 ? "error" : "errors"}
        </button>
      )}
      <span class="spring" />
      <select
        aria-label="Levels to show"
        value=""
        onChange={({ currentTarget }) => {
          onLevels(Number(currentTarget.value));
          currentTarget.value = "";
        }}
      >
        <option value="">Levels</option>
        {LEVELS.map((levels) => (
          <option key={levels} value={levels}>
            {levels} {levels === 1 ? "level" : "levels"}
          </option>
        ))}
        <option value="0">all levels</option>
      </select>
      <ModeButton
        label="Critical path"
        title="Mark the spans that decided how long the trace took (t)"
        isOn={modes.showsCritical}
        onClick={() => onModes({ ...modes, showsCritical: !modes.showsCritical })}
      />
      <ModeButton
        label="Group repeats"
        title="Draw runs of equal spans as one (r)"
        isOn={modes.groupsRuns}
        onClick={() => onModes({ ...modes, groupsRuns: !modes.groupsRuns })}
      />
    </form>
  );
}

interface ModeButtonProps {
  readonly label: string;
  readonly title: string;
  readonly isOn: boolean;
  readonly onClick: () => void;
}

function ModeButton({ label, title, isOn, onClick }: ModeButtonProps) {
  return (
    <button type="button" class="mode-button" aria-pressed={isOn} title={title} onClick={onClick}>
      {label}
    </button>
  );
}
