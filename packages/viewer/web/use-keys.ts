import { useEffect, useRef } from "preact/hooks";

/** Actions by `KeyboardEvent.key`. */
export type Keys = Readonly<Record<string, (event: KeyboardEvent) => void>>;

/** Handles keys wherever the focus is, except in text fields. */
export function useKeys(keys: Keys): void {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const action = latest.current[event.key];
      if (action === undefined || event.defaultPrevented || !isShortcut(event)) return;
      event.preventDefault();
      action(event);
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}

function isShortcut({ ctrlKey, metaKey, altKey, target, key }: KeyboardEvent): boolean {
  if (ctrlKey || metaKey || altKey || document.querySelector("dialog[open]") !== null) return false;
  if (!(target instanceof Element)) return true;
  if (target.matches("input:not([type=checkbox]), select, textarea")) {
    // Escape leaves the field, so that the keys work again.
    if (key === "Escape") (target as HTMLElement).blur();
    return false;
  }
  // Buttons and links handle Enter and the space bar themselves.
  return !((key === "Enter" || key === " ") && target.matches("a, button, summary, input"));
}
