/**
 * The colours of a drawing, light and dark, with a contrast of 4.5:1 or more for text. A file in the repository follows
 * the colours of the system; inlined in a page, it follows the theme.
 */
const COLOURS: Record<string, readonly [light: string, dark: string]> = {
  ink: ["#1f2328", "#e6e6ea"],
  quiet: ["#57606a", "#a9a9b4"],
  line: ["#8c959f", "#7d7d88"],
  fill: ["#f6f8fa", "#26262c"],
  accent: ["#0b6b5d", "#5fd3bf"],
  band: ["#cfe8e3", "#1d4d45"],
  bad: ["#b42318", "#ff8a7a"],
};

const RULES = `.d-ink{fill:var(--d-ink)}.d-quiet{fill:var(--d-quiet)}.d-accent{fill:var(--d-accent)}.d-bad{fill:var(--d-bad)}
.d-box{fill:var(--d-fill);stroke:var(--d-line)}.d-band{fill:var(--d-band)}
.d-line,.d-arrow{fill:none;stroke:var(--d-line);stroke-width:1.5}.d-stop{fill:none;stroke:var(--d-bad);stroke-width:2}
.d-good{fill:none;stroke:var(--d-accent);stroke-width:2}
.d-text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
.d-code{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
.d-middle{text-anchor:middle}.d-end{text-anchor:end}`;

function variables(theme: 0 | 1): string {
  return Object.entries(COLOURS)
    .map(([name, colours]) => `--d-${name}:${colours[theme]}`)
    .join(";");
}

/** The styles of a file on its own. */
function fileStyle(): string {
  return `svg{${variables(0)}}\n@media(prefers-color-scheme:dark){svg{${variables(1)}}}\n${RULES}`;
}

/** The styles of all drawings in the pages of the site. */
export function pageStyle(): string {
  return `:root{${variables(0)}}\n.dark{${variables(1)}}\n${RULES}\n`;
}

type Ink = "ink" | "quiet" | "accent" | "bad";
type Anchor = "start" | "middle" | "end";

/** Draws an SVG of 480 units in width, so that its text can be read on a phone. */
export class Canvas {
  readonly #title: string;
  readonly #height: number;
  readonly #parts: string[] = [];

  constructor(title: string, height: number) {
    this.#title = title;
    this.#height = height;
  }

  text(x: number, y: number, text: string, ink: Ink = "ink", anchor: Anchor = "start", font = "text"): this {
    const classes = [`d-${font}`, `d-${ink}`, ...(anchor === "start" ? [] : [`d-${anchor}`])].join(" ");
    return this.#add(`<text x="${x}" y="${y}" class="${classes}">${escape(text)}</text>`);
  }

  code(x: number, y: number, text: string, ink: Ink = "ink", anchor: Anchor = "start"): this {
    return this.text(x, y, text, ink, anchor, "code");
  }

  box(x: number, y: number, width: number, height: number): this {
    return this.#add(`<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="4" class="d-box"/>`);
  }

  /** The pale band of the time that is given. */
  band(x: number, y: number, width: number, height: number): this {
    return this.#add(`<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="3" class="d-band"/>`);
  }

  /** The solid bar of the time that is used. */
  bar(x: number, y: number, width: number, height: number, ink: Ink = "accent"): this {
    return this.#add(`<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="2" class="d-${ink}"/>`);
  }

  line(points: readonly (readonly [number, number])[], kind: "line" | "stop" | "good" = "line"): this {
    return this.#add(`<path d="M${points.map(([x, y]) => `${x} ${y}`).join("L")}" class="d-${kind}"/>`);
  }

  arrow(from: readonly [number, number], to: readonly [number, number], kind: "line" | "stop" | "good" = "line"): this {
    const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
    const tip = [0.5, -0.5].map((turn) => {
      const [x, y] = [to[0] - 8 * Math.cos(angle + turn), to[1] - 8 * Math.sin(angle + turn)];
      return [round(x), round(y)] as const;
    });
    return this.line([from, to], kind).line([tip[0]!, to, tip[1]!], kind);
  }

  cross(x: number, y: number): this {
    return this.line(
      [
        [x - 5, y - 5],
        [x + 5, y + 5],
      ],
      "stop",
    ).line(
      [
        [x - 5, y + 5],
        [x + 5, y - 5],
      ],
      "stop",
    );
  }

  svg(): string {
    return [
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 ${this.#height}" role="img" aria-label="${escape(this.#title)}">`,
      `<style>${fileStyle()}</style>`,
      ...this.#parts,
      "</svg>",
      "",
    ].join("\n");
  }

  #add(part: string): this {
    this.#parts.push(part);
    return this;
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
