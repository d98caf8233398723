import type { RefObject } from "preact";

const KEYS: readonly (readonly [string, string])[] = [
  ["j  ↓", "next trace or span"],
  ["k  ↑", "the one before"],
  ["Enter", "open it: the trace, or the details of the span"],
  ["←  →", "close or open what is below a span"],
  ["z", "zoom to the time of a span, and back"],
  ["Home  End", "first and last"],
  ["Esc  ⌫", "back: close the details, then the trace"],
  ["/", "search"],
  ["x", "choose a trace to compare"],
  ["c", "compare the two that are chosen"],
  ["g", "services, and who calls whom"],
  ["l", "the list of traces"],
  ["p", "pause, or follow what comes in"],
  ["?", "this"],
];

export function KeysHelp({ dialog }: { readonly dialog: RefObject<HTMLDialogElement | null> }) {
  return (
    <dialog ref={dialog} class="keys-help" aria-labelledby="keys-title">
      <h2 id="keys-title">Keys</h2>
      <dl>
        {KEYS.map(([keys, text]) => (
          <div key={keys}>
            <dt>
              {keys.split("  ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={() => dialog.current?.close()}>
        Close
      </button>
    </dialog>
  );
}
