import { useEffect, useState } from "preact/hooks";

import { parseRoute, type Route } from "./route.ts";

/** The last address of the list, with its filters. */
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

/** Changes the address without a history entry, for changes at every key press. */
export function replaceWith(link: string): void {
  history.replaceState(null, "", link);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function backToList(): void {
  goTo(lastList);
}
