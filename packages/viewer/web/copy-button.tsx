import { useState } from "preact/hooks";

/** Copies a text to the clipboard and shows the result. */
export function CopyButton({ text, what }: { readonly text: string; readonly what: string }) {
  const [state, setState] = useState<"ready" | "done" | "failed">("ready");
  const copy = (): void => {
    copyText(text).then(
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

/** Browsers have no clipboard API on pages that come over plain HTTP from another machine. */
async function copyText(text: string): Promise<void> {
  const { clipboard } = navigator as { clipboard?: Clipboard };
  if (clipboard !== undefined) return clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "hidden";
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (!isCopied) throw new Error("The browser does not permit to copy");
}
