import type { TreeRow } from "../span-tree.ts";
import type { ViewedSpan } from "../span.ts";
import { type DeadlineBand, originOf } from "./deadline-band.ts";
import { durationText } from "./duration-text.ts";
import { describeEnding, type Tone } from "./ending.ts";
import { budgetOf, enderOf, errorTypeOf, isStopped, statusOf } from "./span-facts.ts";
import { callerName, firstDeadline, locationText, type StoryFacts, storyFacts } from "./story-facts.ts";
import { lateSpans, momentsOf, type StoryMoment } from "./story-moments.ts";

/** A description of what happened to a request. */
export interface Story {
  readonly headline: string;
  readonly tone: Tone;
  /** The events that contributed, in order of time. */
  readonly moments: readonly StoryMoment[];
}

/** Describes a trace. Returns `undefined` if there are no spans. */
export function describeTrace(spans: readonly ViewedSpan[]): Story | undefined {
  const facts = storyFacts(spans);
  if (facts === undefined) return undefined;
  return { headline: headlineOf(facts), tone: toneOf(facts), moments: momentsOf(facts) };
}

function toneOf(facts: StoryFacts): Tone {
  const { root, rows } = facts;
  if (statusOf(root) === 504 && rows.some(({ span }) => enderOf(span) === "deadline")) return "late";
  const { tone } = describeEnding(enderOf(root), statusOf(root), root.failed);
  return tone === "good" && problemsOf(facts).length > 0 ? "refused" : tone;
}

function headlineOf(facts: StoryFacts): string {
  const { root } = facts;
  const by = enderOf(root);
  if (by === "client") return `${callerName(root)} left after ${took(root)}${canceledText(facts)}.`;
  if (by === "cancel") return `Canceled after ${took(root)}${canceledText(facts)}.`;
  if (by === "refusal") return refusal(root);
  const late = by === "deadline" || statusOf(root) === 504 ? firstDeadline(facts) : undefined;
  if (late !== undefined) return `${deadlinePassed(late, facts.rows)}${answerText(root)}.`;
  if (by === "error" || root.failed || (statusOf(root) ?? 0) >= 500) return failure(facts);
  return answered(facts);
}

function took({ start, end }: ViewedSpan): string {
  return durationText(end - start);
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function canceledText(facts: StoryFacts): string {
  const { root, steps, rows } = facts;
  const others = steps.filter(({ span }) => span !== root);
  const late = lateSpans(facts)[0];
  const continued = late === undefined ? "" : `${late[0].service} continued for ${durationText(late[1])}`;
  if (others.length === 0) {
    if (continued !== "") return `; ${continued} after that`;
    const isBusy = rows.some(({ span }) => span !== root && span.end > root.end);
    return isBusy ? "; no other work was canceled" : "; no other work was in progress";
  }
  const calls = others.filter(({ span }) => span.kind === "client");
  const services = new Set(others.map(({ span }) => span.service));
  const count = calls.length || others.length;
  const what = `${counted(count, calls.length > 0 ? "call" : "span")} in ${counted(services.size, "service")}`;
  const last = others.at(-1)!.span.end - root.end;
  const when = last > 0.05 ? `within ${durationText(last)}` : "at once";
  return `; ${what} ${count === 1 ? "was" : "were"} canceled ${when}${continued === "" ? "" : `, but ${continued}`}`;
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
  return `The deadline of ${durationText(origin.budget)}${who} passed ${locationText(band.span, rows)}`;
}

function answerText(root: ViewedSpan): string {
  const status = statusOf(root);
  if (status === undefined) return `; the request ended after ${took(root)}`;
  return `; ${callerName(root).toLowerCase()} got ${status} after ${took(root)}`;
}

function failure({ rows, root }: StoryFacts): string {
  // The cause is the failed span without failed descendants that ended first.
  const causes = rows.filter(
    ({ span, depth }, index) =>
      span.failed && !isStopped(span) && !hasDescendant(rows, index, depth, ({ failed }) => failed),
  );
  const cause = causes.reduce<ViewedSpan | undefined>(
    (first, { span }) => (first === undefined || span.end < first.end ? span : first),
    undefined,
  );
  const status = statusOf(root);
  const head = `Failed${status === undefined ? "" : ` with ${status}`} after ${took(root)}`;
  if (cause === undefined) return `${head}.`;
  const reason = cause.statusMessage || errorTypeOf(cause);
  const what = reason === undefined || reason === String(status) ? "" : `: ${reason}`;
  return cause === root ? `${head}${what}.` : `${head}; it began in ${cause.service}, at ${cause.name}${what}.`;
}

function hasDescendant(
  rows: readonly TreeRow[],
  index: number,
  depth: number,
  predicate: (span: ViewedSpan) => boolean,
): boolean {
  for (let next = index + 1; next < rows.length && rows[next]!.depth > depth; next += 1) {
    if (predicate(rows[next]!.span)) return true;
  }
  return false;
}

function answered(facts: StoryFacts): string {
  const { root, bands } = facts;
  const status = statusOf(root);
  const isAnswered = status !== undefined || enderOf(root) !== undefined;
  const verb = isAnswered ? `Answered${status === undefined ? "" : ` with ${status}`} after` : "Took";
  const head = `${verb} ${took(root)}`;
  const problems = problemsOf(facts);
  if (problems.length > 0) return `${head}, though ${listed(problems)}.`;
  const band = bands.get(root.spanId);
  if (band === undefined) return `${head}; it carries no deadline.`;
  const left = band.at - root.end;
  return left >= 0
    ? `${head}, with ${durationText(left)} of its ${durationText(band.budget)} to spare.`
    : `${head}, ${durationText(-left)} after its deadline.`;
}

/** Describes the problems below the root. The spans below a problem are its consequences and are skipped. */
function problemsOf({ rows, root }: StoryFacts): string[] {
  const problems: string[] = [];
  for (let index = 0; index < rows.length; index += 1) {
    const { span, depth } = rows[index]!;
    const by = enderOf(span);
    if (span === root || !(isStopped(span) || by === "refusal" || span.failed)) continue;
    // The server span describes a failed call better than the client span, if there is one.
    const called = rows[index + 1];
    const reporter = span.kind === "client" && called !== undefined && called.depth === depth + 1 ? called.span : span;
    problems.push(problemText(isStopped(span) ? span : reporter, reporter));
    while ((rows[index + 1]?.depth ?? -1) > depth) index += 1;
  }
  return [...new Set(problems)];
}

function listed(texts: readonly string[]): string {
  const shown = texts.length > 3 ? [...texts.slice(0, 2), `${texts.length - 2} more had problems`] : texts;
  return shown.length === 1 ? shown[0]! : `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}

function problemText(span: ViewedSpan, { service, kind, name }: ViewedSpan): string {
  const subject = kind === "client" ? `${name} of ${service}` : service;
  const by = enderOf(span);
  if (by === "deadline") return `time ran out for ${subject}`;
  if (by === "refusal") {
    const left = budgetOf(span);
    return left === undefined ? `${subject} refused` : `${subject} refused because ${durationText(left)} was left`;
  }
  return by === "client" || by === "cancel" ? `${subject} was canceled` : `${subject} failed`;
}
