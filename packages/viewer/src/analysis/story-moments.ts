import type { ViewedSpan } from "../span.ts";
import { type DeadlineBand } from "./deadline-band.ts";
import { durationText } from "./duration-text.ts";
import type { Tone } from "./ending.ts";
import { budgetOf, enderOf, isStopped } from "./span-facts.ts";
import { callerName, locationText, type StoryFacts } from "./story-facts.ts";

/** An event that contributed to the outcome of a request. */
export interface StoryMoment {
  /** Milliseconds from the start of the trace. */
  readonly at: number;
  readonly text: string;
  readonly tone: Tone;
  readonly spanId: string;
}

/** Milliseconds after its stopped ancestor from which a span counts as having missed the cancellation. */
const LATE_AFTER = 20;
/** Maximum number of moments of each kind; the waterfall shows the others. */
const MAX_MOMENTS = 4;

/**
 * Lists where the deadline was set and cut, refusals, the first stop, the spread of the cancellation, and late spans.
 */
export function momentsOf(facts: StoryFacts): StoryMoment[] {
  const from = facts.rows.reduce((least, { span }) => Math.min(least, span.start), Infinity);
  const moment = (span: ViewedSpan, at: number, text: string, tone: Tone): StoryMoment => ({
    at: at - from,
    text,
    tone,
    spanId: span.spanId,
  });
  const given = facts.bands.get(facts.root.spanId);
  const moments = [
    ...(given === undefined ? [] : [moment(facts.root, facts.root.start, givenText(given), "plain")]),
    ...[...facts.bands.values()]
      .filter(({ cut }) => cut?.isReserve === false)
      .slice(0, MAX_MOMENTS)
      .map((band) => moment(band.span, band.span.start, cutText(band), "plain")),
    ...facts.rows
      .filter(({ span }) => enderOf(span) === "refusal")
      .slice(0, MAX_MOMENTS)
      .map(({ span }) => moment(span, span.start, refusalText(span), "refused")),
    ...stops(facts).map(([span, text, tone]) => moment(span, span.end, text, tone)),
    ...lateSpans(facts)
      .slice(0, MAX_MOMENTS)
      .map(([span, after]) =>
        moment(span, span.end, `${span.service} continued for ${durationText(after)} after the cancel`, "bad"),
      ),
  ];
  return moments.sort((a, b) => a.at - b.at);
}

function givenText({ budget, source, span }: DeadlineBand): string {
  return `${span.service} was given ${durationText(budget)}${source === undefined ? "" : ` by ${source}`}`;
}

/** Describes who cut a budget, and by how much. */
export function cutText({ cut, source, span }: DeadlineBand): string {
  if (cut === undefined) return "";
  if (cut.isReserve) {
    const [left, sent] = [durationText(cut.from), durationText(cut.to)];
    return `${span.service} reserved ${durationText(cut.from - cut.to)} of ${left}: sent ${sent}`;
  }
  const amounts = `budget cut from ${durationText(cut.from)} to ${durationText(cut.to)}`;
  return source === undefined ? `${amounts} by ${span.service}` : `${amounts} by ${source} in ${span.service}`;
}

function refusalText(span: ViewedSpan): string {
  const left = budgetOf(span);
  return left === undefined
    ? `${span.service} refused on arrival`
    : `${span.service} refused on arrival: ${durationText(left)} was left`;
}

/** The span that stopped first, and the last that the cancellation reached. */
function stops({ steps, root, rows }: StoryFacts): [ViewedSpan, string, Tone][] {
  const first = steps[0]?.span;
  if (first === undefined) return [];
  const last = steps.findLast(({ span }) => span.service !== first.service && enderOf(span) !== "deadline")?.span;
  const moments: [ViewedSpan, string, Tone][] = [
    enderOf(first) === "deadline"
      ? [first, `the deadline passed ${locationText(first, rows)}`, "late"]
      : [first, first === root ? `${callerName(root).toLowerCase()} left` : `${first.service} canceled`, "left"],
  ];
  if (last !== undefined) {
    moments.push([last, `the cancel reached ${last.service}, ${durationText(last.end - first.end)} later`, "left"]);
  }
  return moments;
}

/** Returns the topmost spans that ended long after a stopped ancestor, with the milliseconds. */
export function lateSpans({ rows }: StoryFacts): [ViewedSpan, number][] {
  const found: [ViewedSpan, number][] = [];
  const path: (ViewedSpan | undefined)[] = [];
  let within = Infinity;
  for (const { span, depth } of rows) {
    const stopped = depth === 0 ? undefined : path[depth - 1];
    path[depth] = isStopped(span) ? span : stopped;
    if (depth > within) continue;
    within = Infinity;
    if (stopped === undefined || span.end - stopped.end <= LATE_AFTER) continue;
    found.push([span, span.end - stopped.end]);
    within = depth;
  }
  return found;
}
