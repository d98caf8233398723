import { useRef, useState } from "preact/hooks";

import { AppHeader } from "./app-header.tsx";
import { ComparePage } from "./compare-page.tsx";
import { DeadlinesPage } from "./deadlines-page.tsx";
import { FileDrop } from "./file-drop.tsx";
import { GraphPage } from "./graph-page.tsx";
import { KeysHelp } from "./keys-help.tsx";
import { Notice } from "./notice.tsx";
import { compareLink } from "./route.ts";
import { TraceListPage } from "./trace-list-page.tsx";
import { TracePage } from "./trace-page.tsx";
import { useKeys } from "./use-keys.ts";
import { type LiveUpdates, useLiveUpdates } from "./use-live-updates.ts";
import { backToList, goTo, useRoute } from "./use-route.ts";

export function App() {
  const route = useRoute();
  const updates = useLiveUpdates();
  const help = useRef<HTMLDialogElement>(null);
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const compare = (): void => {
    const [before, after] = chosen;
    if (before !== undefined && after !== undefined) goTo(compareLink(before, after));
  };
  useKeys({
    "?": () => help.current?.showModal(),
    g: () => goTo("#/graph"),
    d: () => goTo("#/deadlines"),
    l: () => backToList(),
    c: compare,
    p: () => updates.toggle(),
  });
  return (
    <>
      <AppHeader page={route.page} updates={updates} onHelp={() => help.current?.showModal()} />
      <main class="page">
        <Page route={route} updates={updates} chosen={chosen} onChoose={setChosen} onCompare={compare} />
      </main>
      <FileDrop />
      <KeysHelp dialog={help} />
    </>
  );
}

interface PageProps {
  readonly route: ReturnType<typeof useRoute>;
  readonly updates: LiveUpdates;
  readonly chosen: readonly string[];
  readonly onChoose: (chosen: readonly string[]) => void;
  readonly onCompare: () => void;
}

function Page({ route, updates: { revision }, ...choice }: PageProps) {
  switch (route.page) {
    case "list":
      return <TraceListPage filters={route.filters} revision={revision} {...choice} />;
    case "trace":
      return <TracePage key={route.traceId} traceId={route.traceId} spanId={route.spanId} revision={revision} />;
    case "graph":
      return <GraphPage revision={revision} />;
    case "deadlines":
      return <DeadlinesPage filters={route.filters} revision={revision} />;
    case "compare":
      return <ComparePage before={route.before} after={route.after} />;
    default:
      return (
        <Notice title="There is no such page" isPage>
          <p>
            Nothing is shown at <code>{route.path}</code>. <a href="#/">All traces</a>
          </p>
        </Notice>
      );
  }
}
