export type Theme = "light" | "dark";

const KEY = "throughline.theme";

/** Returns the stored choice; `undefined` follows the system. */
export function chosenTheme(): Theme | undefined {
  const stored = read();
  return stored === "light" || stored === "dark" ? stored : undefined;
}

export function currentTheme(): Theme {
  return chosenTheme() ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

export function chooseTheme(theme: Theme): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Without storage the choice lasts until the page is closed.
  }
  document.documentElement.dataset["theme"] = theme;
}

export function applyTheme(): void {
  const theme = chosenTheme();
  if (theme !== undefined) document.documentElement.dataset["theme"] = theme;
}

function read(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
