import { useState } from "preact/hooks";

import { OpenFileButton } from "./file-drop.tsx";
import { chooseTheme, currentTheme } from "./theme.ts";
import type { LiveUpdates } from "./use-live-updates.ts";

interface AppHeaderProps {
  readonly page: string;
  readonly updates: LiveUpdates;
  readonly onHelp: () => void;
}

export function AppHeader({ page, updates, onHelp }: AppHeaderProps) {
  const current = (name: string) => (page === name ? "page" : undefined);
  return (
    <header class="app-header">
      <a class="brand" href="#/">
        <img src="./icon.svg" alt="" width="22" height="22" />
        Throughline
      </a>
      <nav aria-label="Pages">
        <a href="#/" aria-current={current("list")}>
          Traces
        </a>
        <a href="#/graph" aria-current={current("graph")}>
          Services
        </a>
        <a href="#/deadlines" aria-current={current("deadlines")}>
          Deadlines
        </a>
      </nav>
      <span class="spring" />
      <OpenFileButton />
      <LiveButton {...updates} />
      <ThemeButton />
      <button
        type="button"
        class="quiet"
        onClick={onHelp}
        aria-label="Keyboard shortcuts"
        title="Keyboard shortcuts (?)"
      >
        ?
      </button>
    </header>
  );
}

const LIVE_TEXTS = { live: "Live", paused: "Paused", lost: "No connection" } as const;

function LiveButton({ state, hasMore, toggle }: LiveUpdates) {
  return (
    <button
      type="button"
      class={`quiet live-button is-${state}`}
      aria-pressed={state === "paused"}
      onClick={toggle}
      title={state === "paused" ? "Follow again (p)" : "Pause (p)"}
    >
      <span class="live-dot" aria-hidden="true" />
      {LIVE_TEXTS[state]}
      {hasMore && " · new spans"}
    </button>
  );
}

function ThemeButton() {
  const [theme, setTheme] = useState(currentTheme);
  const other = theme === "dark" ? "light" : "dark";
  const choose = (): void => {
    chooseTheme(other);
    setTheme(other);
  };
  return (
    <button
      type="button"
      class="quiet"
      onClick={choose}
      aria-label={`Use ${other} colours`}
      title={`Use ${other} colours`}
    >
      <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r="6.25" fill="none" stroke="currentColor" stroke-width="1.5" />
        <path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor" />
      </svg>
    </button>
  );
}
