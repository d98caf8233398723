import { baggages } from "./baggage.ts";
import { credentials } from "./bearer.ts";
import { budgetOfCaller } from "./caller-budget.ts";
import { claims } from "./claims.ts";
import { deadlines } from "./deadlines.ts";
import { declared } from "./declared.ts";
import { origins } from "./origins.ts";
import { otlpProtobuf } from "./otlp-protobuf.ts";
import { otlp } from "./otlp.ts";
import { query } from "./query.ts";
import { retryAfter } from "./retry-after.ts";
import type { AnySubject } from "./subject.ts";
import { tokens } from "./tokens.ts";
import { traces } from "./trace.ts";
import { trust } from "./trust.ts";
import { untrusted } from "./untrusted.ts";
import { words } from "./words.ts";

/** All that reads what comes from outside. */
export const subjects: readonly AnySubject[] = [
  ...deadlines,
  budgetOfCaller,
  ...traces,
  ...baggages,
  ...untrusted,
  ...declared,
  retryAfter,
  ...words,
  credentials,
  ...tokens,
  ...claims,
  query,
  origins,
  trust,
  otlp,
  otlpProtobuf,
];

/** How many values a subject is given, of so many in all. */
export function valuesOf({ share = 1 }: AnySubject, all: number): number {
  return Math.ceil((all * share) / subjects.reduce((sum, each) => sum + (each.share ?? 1), 0));
}
