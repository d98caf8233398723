import type { TreeRow } from "../span-tree.ts";
import type { ViewedSpan } from "../span.ts";
import { type DeadlineBand, originOf } from "./deadline-band.ts";
import { durationText } from "./duration-text.ts";
import { describeEnding, type Tone } from "./ending.ts";
import { firstDeadline, type Plot, plotOf, whereIn, whoAsked } from "./plot.ts";
import { budgetOf, enderOf, errorTypeOf, isStopped, statusOf } from "./span-facts.ts";
import { momentsOf, type StoryMoment, unnoticed } from "./story-moments.ts";

/** What happened to a request, in words. */
export interface Story {
  readonly headline: string;
  readonly tone: Tone;
  /** What led to it, in order of time. */
  readonly moments: readonly StoryMoment[];
}

/** Tells what happened, from nothing but the spans; `undefined` if there are none. */
export function tellStory(spans: readonly ViewedSpan[]): Story | undefined {
  const plot = plotOf(spans);
  if (plot === undefined) return undefined;
  return { headline: headlineOf(plot), tone: toneOf(plot), moments: momentsOf(plot) };
}

function toneOf(plot: Plot): Tone {
  const { root, rows } = plot;
  if (statusOf(root) === 504 && rows.some(({ span }) => enderOf(span) === "deadline")) return "late";
  const { tone } = describeEnding(enderOf(root), statusOf(root), root.failed);
  return tone === "good" && troublesOf(plot).length > 0 ? "refused" : tone;
}

function headlineOf(plot: Plot): string {
  const { root } = plot;
  const by = enderOf(root);
  if (by === "client") return `${whoAsked(root)} left after ${took(root)}${whatWasCanceled(plot)}.`;
  if (by === "cancel") return `Canceled after ${took(root)}${whatWasCanceled(plot)}.`;
  if (by === "refusal") return refusal(root);
  const late = by === "deadline" || statusOf(root) === 504 ? firstDeadline(plot) : undefined;
  if (late !== undefined) return `${deadlinePassed(late, plot.rows)}${whatWasAnswered(root)}.`;
  if (by === "error" || root.failed || (statusOf(root) ?? 0) >= 500) return failure(plot);
  return answered(plot);
}

function took({ start, end }: ViewedSpan): string {
  return durationText(end - start);
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function whatWasCanceled(plot: Plot): string {
  const { root, steps, rows } = plot;
  const others = steps.filter(({ span }) => span !== root);
  const deaf = unnoticed(plot)[0];
  const wentOn = deaf === undefined ? "" : `${deaf[0].service} went on for ${durationText(deaf[1])}`;
  if (others.length === 0) {
    if (wentOn !== "") return `; ${wentOn}, for nobody`;
    const isBusy = rows.some(({ span }) => span !== root && span.end > root.end);
    return isBusy ? "; nothing behind it was canceled" : "; nothing was under way behind it";
  }
  const calls = others.filter(({ span }) => span.kind === "client");
  const services = new Set(others.map(({ span }) => span.service));
  const count = calls.length || others.length;
  const what = `${counted(count, calls.length > 0 ? "call" : "span")} in ${counted(services.size, "service")}`;
  const last = others.at(-1)!.span.end - root.end;
  const when = last > 0.05 ? `within ${durationText(last)}` : "at once";
  return `; ${what} ${count === 1 ? "was" : "were"} canceled ${when}${wentOn === "" ? "" : `, but ${wentOn}`}`;
}

function refusal(root: ViewedSpan): string {
  const status = statusOf(root);
  const left = budgetOf(root);
  const answer = status === undefined ? "" : ` with ${status}`;
  return left !== undefined && status === 504
    ? `Refused on arrival${answer}: ${durationText(left)} was left, too little to begin.`
    : `Refused on arrival${answer}, before any work was done.`;
}

function deadlinePassed(band: DeadlineBand, rows: readonly TreeRow[]): string {
  const origin = originOf(band);
  const by = origin.source ?? origin.cut?.by;
  const where = origin.cut === undefined || origin.source === undefined ? "" : ` in ${origin.span.service}`;
  const who = by === undefined ? "" : `, set by ${by}${where},`;
  return `The deadline of ${durationText(origin.budget)}${who} passed ${whereIn(band.span, rows)}`;
}

function whatWasAnswered(root: ViewedSpan): string {
  const status = statusOf(root);
  if (status === undefined) return `; it all ended after ${took(root)}`;
  return `; ${whoAsked(root).toLowerCase()} got ${status} after ${took(root)}`;
}

function failure({ rows, root }: Plot): string {
  // The cause is where nothing below it failed: of such the first.
  const causes = rows.filter(
    ({ span, depth }, index) => span.failed && !isStopped(span) && !isAbove(rows, index, depth, ({ failed }) => failed),
  );
  const cause = causes.reduce<ViewedSpan | undefined>(
    (first, { span }) => (first === undefined || span.end < first.end ? span : first),
    undefined,
  );
  const status = statusOf(root);
  const head = `Failed${status === undefined ? "" : ` with ${status}`} after ${took(root)}`;
  if (cause === undefined) return `${head}.`;
  const why = cause.statusMessage || errorTypeOf(cause);
  const what = why === undefined || why === String(status) ? "" : `: ${why}`;
  return cause === root ? `${head}${what}.` : `${head}; it began in ${cause.service}, at ${cause.name}${what}.`;
}

function isAbove(rows: readonly TreeRow[], index: number, depth: number, is: (span: ViewedSpan) => boolean): boolean {
  for (let next = index + 1; next < rows.length && rows[next]!.depth > depth; next += 1) {
    if (is(rows[next]!.span)) return true;
  }
  return false;
}

function answered(plot: Plot): string {
  const { root, bands } = plot;
  const status = statusOf(root);
  const head = `${status === undefined && enderOf(root) === undefined ? "Took" : `Answered${status === undefined ? "" : ` with ${status}`} after`} ${took(root)}`;
  const troubles = troublesOf(plot);
  if (troubles.length > 0) return `${head}, though ${listed(troubles)}.`;
  const band = bands.get(root.spanId);
  if (band === undefined) return `${head}; it carries no deadline.`;
  const left = band.at - root.end;
  return left >= 0
    ? `${head}, with ${durationText(left)} of its ${durationText(band.budget)} to spare.`
    : `${head}, ${durationText(-left)} after its deadline.`;
}

/** What went wrong below, without its consequences further down. */
function troublesOf({ rows, root }: Plot): string[] {
  const troubles: string[] = [];
  for (let index = 0; index < rows.length; index += 1) {
    const { span, depth } = rows[index]!;
    const by = enderOf(span);
    if (span === root || !(isStopped(span) || by === "refusal" || span.failed)) continue;
    // What a call ran into is told by the one that was called, where that has told us.
    const called = rows[index + 1];
    const teller = span.kind === "client" && called !== undefined && called.depth === depth + 1 ? called.span : span;
    troubles.push(trouble(isStopped(span) ? span : teller, teller));
    while ((rows[index + 1]?.depth ?? -1) > depth) index += 1;
  }
  return [...new Set(troubles)];
}

function listed(texts: readonly string[]): string {
  const shown = texts.length > 3 ? [...texts.slice(0, 2), `${texts.length - 2} more did not do well`] : texts;
  return shown.length === 1 ? shown[0]! : `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}

function trouble(span: ViewedSpan, { service, kind, name }: ViewedSpan): string {
  const whom = kind === "client" ? `${name} of ${service}` : service;
  const by = enderOf(span);
  if (by === "deadline") return `time ran out for ${whom}`;
  if (by === "refusal") {
    const left = budgetOf(span);
    return left === undefined ? `${whom} refused` : `${whom} refused because ${durationText(left)} was left`;
  }
  return by === "client" || by === "cancel" ? `${whom} was canceled` : `${whom} failed`;
}
