import { useEffect, useState } from "preact/hooks";

import { parseRoute, type Route } from "./route.ts";

/** Where one was in the list, to go back to. */
let lastList = "#/";

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const follow = (): void => setHash(location.hash);
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  const route = parseRoute(hash);
  if (route.page === "list") lastList = hash === "" ? "#/" : hash;
  return route;
}

export function goTo(link: string): void {
  location.hash = link;
}

/** Without a step of its own in the history: for what changes with every key. */
export function replaceWith(link: string): void {
  history.replaceState(null, "", link);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function backToList(): void {
  goTo(lastList);
}
