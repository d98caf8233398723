import type { RefObject } from "preact";

const KEYS: readonly (readonly [string, string])[] = [
  ["j  ↓", "next trace or span"],
  ["k  ↑", "previous trace or span"],
  ["Enter", "open the trace, or the details of the span"],
  ["←  →", "collapse or expand a span"],
  ["f", "find in the trace"],
  ["n  N", "next and previous match"],
  ["e", "next failed span"],
  ["t", "mark the critical path"],
  ["r", "group runs of equal spans"],
  ["z", "zoom to the time of a span, or back"],
  ["Home  End", "first and last"],
  ["Esc  ⌫", "close the details, then the trace"],
  ["/", "search"],
  ["x", "choose a trace for comparison"],
  ["c", "compare the two that are chosen"],
  ["g", "graph of services"],
  ["d", "deadlines of all traces"],
  ["l", "list of traces"],
  ["p", "pause or resume live updates"],
  ["?", "this help"],
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
