import { useEffect, useRef } from "preact/hooks";

/** What to do at a key, by its name in `KeyboardEvent.key`. */
export type Keys = Readonly<Record<string, (event: KeyboardEvent) => void>>;

/** Listens wherever the focus is, except where somebody writes. */
export function useKeys(keys: Keys): void {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const action = latest.current[event.key];
      if (action === undefined || event.defaultPrevented || !isMeant(event)) return;
      event.preventDefault();
      action(event);
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}

function isMeant({ ctrlKey, metaKey, altKey, target, key }: KeyboardEvent): boolean {
  if (ctrlKey || metaKey || altKey || document.querySelector("dialog[open]") !== null) return false;
  if (!(target instanceof Element)) return true;
  if (target.matches("input:not([type=checkbox]), select, textarea")) {
    // Out of a field, and back to the keys.
    if (key === "Escape") (target as HTMLElement).blur();
    return false;
  }
  // What a button or a link does at Enter or the space bar is its own.
  return !((key === "Enter" || key === " ") && target.matches("a, button, summary, input"));
}
