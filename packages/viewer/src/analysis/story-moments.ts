import type { ViewedSpan } from "../span.ts";
import { type DeadlineBand } from "./deadline-band.ts";
import { durationText } from "./duration-text.ts";
import type { Tone } from "./ending.ts";
import { type Plot, whereIn, whoAsked } from "./plot.ts";
import { budgetOf, enderOf, isStopped } from "./span-facts.ts";

/** Something that led to how a request ended. */
export interface StoryMoment {
  /** Milliseconds from the start of the trace. */
  readonly at: number;
  readonly text: string;
  readonly tone: Tone;
  readonly spanId: string;
}

/** A work that ends so much later than what it was for has not noticed. */
const UNNOTICED = 20;
/** Of each sort: the rest is in the waterfall. */
const MOST = 4;

/** Where the deadline came from and was cut, who was refused, whose clock fired, who left, and what went on all the same. */
export function momentsOf(plot: Plot): StoryMoment[] {
  const from = plot.rows.reduce((least, { span }) => Math.min(least, span.start), Infinity);
  const moment = (span: ViewedSpan, at: number, text: string, tone: Tone): StoryMoment => ({
    at: at - from,
    text,
    tone,
    spanId: span.spanId,
  });
  const given = plot.bands.get(plot.root.spanId);
  const moments = [
    ...(given === undefined ? [] : [moment(plot.root, plot.root.start, givenText(given), "plain")]),
    ...[...plot.bands.values()]
      .filter(({ cut }) => cut?.isReserve === false)
      .slice(0, MOST)
      .map((band) => moment(band.span, band.span.start, cutText(band), "plain")),
    ...plot.rows
      .filter(({ span }) => enderOf(span) === "refusal")
      .slice(0, MOST)
      .map(({ span }) => moment(span, span.start, refusedText(span), "refused")),
    ...stops(plot).map(([span, text, tone]) => moment(span, span.end, text, tone)),
    ...unnoticed(plot)
      .slice(0, MOST)
      .map(([span, after]) =>
        moment(span, span.end, `${span.service} went on for ${durationText(after)}, for nobody`, "bad"),
      ),
  ];
  return moments.sort((a, b) => a.at - b.at);
}

function givenText({ budget, source, span }: DeadlineBand): string {
  return `${span.service} was given ${durationText(budget)}${source === undefined ? "" : ` by ${source}`}`;
}

/** In a sentence: who cut a budget, and by how much. */
export function cutText({ cut, source, span }: DeadlineBand): string {
  if (cut === undefined) return "";
  if (cut.isReserve) {
    return `${span.service} kept back ${durationText(cut.from - cut.to)} of ${durationText(cut.from)}: sent ${durationText(cut.to)}`;
  }
  const amounts = `budget cut from ${durationText(cut.from)} to ${durationText(cut.to)}`;
  return source === undefined ? `${amounts} by ${span.service}` : `${amounts} by ${source} in ${span.service}`;
}

function refusedText(span: ViewedSpan): string {
  const left = budgetOf(span);
  return left === undefined
    ? `${span.service} refused on arrival`
    : `${span.service} refused on arrival: ${durationText(left)} was left`;
}

/** What stopped first, and where the cancel came last. */
function stops({ steps, root, rows }: Plot): [ViewedSpan, string, Tone][] {
  const first = steps[0]?.span;
  if (first === undefined) return [];
  const last = steps.findLast(({ span }) => span.service !== first.service && enderOf(span) !== "deadline")?.span;
  const moments: [ViewedSpan, string, Tone][] = [
    enderOf(first) === "deadline"
      ? [first, `the deadline passed ${whereIn(first, rows)}`, "late"]
      : [first, first === root ? `${whoAsked(root).toLowerCase()} left` : `${first.service} canceled`, "left"],
  ];
  if (last !== undefined) {
    moments.push([last, `the cancel reached ${last.service}, ${durationText(last.end - first.end)} later`, "left"]);
  }
  return moments;
}

/** The topmost spans that went on long after what they were for had been stopped. */
export function unnoticed({ rows }: Plot): [ViewedSpan, number][] {
  const found: [ViewedSpan, number][] = [];
  const path: (ViewedSpan | undefined)[] = [];
  let within = Infinity;
  for (const { span, depth } of rows) {
    const stopped = depth === 0 ? undefined : path[depth - 1];
    path[depth] = isStopped(span) ? span : stopped;
    if (depth > within) continue;
    within = Infinity;
    if (stopped === undefined || span.end - stopped.end <= UNNOTICED) continue;
    found.push([span, span.end - stopped.end]);
    within = depth;
  }
  return found;
}
