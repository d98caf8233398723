import { inBrowser, type Theme } from "vitepress";
import theme from "vitepress/theme-without-fonts";

import "./drawings.css";
import "./style.css";

/** The landing page of the theme has no main landmark. */
function markMain(): void {
  for (const home of document.querySelectorAll("#VPContent.is-home")) home.setAttribute("role", "main");
}

export default {
  extends: theme,
  enhanceApp({ router }) {
    if (!inBrowser) return;
    // The layout changes after the route; the first page is there before any change of route.
    new MutationObserver(markMain).observe(document, { childList: true, subtree: true, attributeFilter: ["class"] });
    router.onAfterRouteChange = markMain;
  },
} satisfies Theme;
