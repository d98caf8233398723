import { useState } from "preact/hooks";

/** Copies a text, and says so. */
export function CopyButton({ text, what }: { readonly text: string; readonly what: string }) {
  const [state, setState] = useState<"ready" | "done" | "failed">("ready");
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => setState("done"),
      () => setState("failed"),
    );
  };
  const said = { ready: "copy", done: "copied", failed: "cannot copy" }[state];
  return (
    <button
      type="button"
      class="copy-button"
      onClick={copy}
      onBlur={() => setState("ready")}
      aria-label={`Copy ${what}`}
    >
      <span aria-live="polite">{said}</span>
    </button>
  );
}
