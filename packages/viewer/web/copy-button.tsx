import { useState } from "preact/hooks";

/** Copies a text to the clipboard and shows the result. */
export function CopyButton({ text, what }: { readonly text: string; readonly what: string }) {
  const [state, setState] = useState<"ready" | "done" | "failed">("ready");
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => setState("done"),
      () => setState("failed"),
    );
  };
  const label = { ready: "copy", done: "copied", failed: "cannot copy" }[state];
  return (
    <button
      type="button"
      class="copy-button"
      onClick={copy}
      onBlur={() => setState("ready")}
      aria-label={`Copy ${what}`}
    >
      <span aria-live="polite">{label}</span>
    </button>
  );
}
