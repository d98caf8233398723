import type { PlacedCall } from "./graph-layout.ts";

/** A call as a curve with the position of its label. */
export interface CallLine extends PlacedCall {
  readonly path: string;
  readonly label: Point;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

type Curve = readonly [Point, Point, Point, Point];

/** Positions of a label on a curve, in order of preference: the middle first. */
const PLACES = [0.5, 0.38, 0.62, 0.28, 0.72, 0.2, 0.8];
/** Approximate size of a label. */
const LABEL = { width: 78, height: 15 };

/** Draws curves from the right side of a box to the left side of another, with labels that do not overlap. */
export function callLines(calls: readonly PlacedCall[], box: { width: number; height: number }): CallLine[] {
  const labels: Point[] = [];
  return calls.map((placed) => {
    const curve = curveOf(placed, box);
    const points = PLACES.map((share) => pointOn(curve, share));
    const label = points.find((point) => labels.every((other) => !collide(point, other))) ?? points[0]!;
    labels.push(label);
    const [from, first, second, to] = curve.map(({ x, y }) => `${x} ${y}`);
    return { ...placed, path: `M${from} C${first} ${second} ${to}`, label };
  });
}

/** A curve that leads back passes below the boxes. */
function curveOf({ from, to }: PlacedCall, box: { width: number; height: number }): Curve {
  const [x1, x2] = [from.x + box.width / 2, to.x - box.width / 2 - 2];
  const isForward = x2 > x1;
  const bend = isForward ? (x2 - x1) / 2 : 120;
  const sag = isForward ? 0 : box.height * 1.5;
  return [
    { x: x1, y: from.y },
    { x: x1 + bend, y: from.y + sag },
    { x: x2 - bend, y: to.y + sag },
    { x: x2, y: to.y },
  ];
}

function pointOn([a, b, c, d]: Curve, share: number): Point {
  const rest = 1 - share;
  const at = (axis: "x" | "y"): number =>
    rest ** 3 * a[axis] + 3 * rest ** 2 * share * b[axis] + 3 * rest * share ** 2 * c[axis] + share ** 3 * d[axis];
  return { x: at("x"), y: at("y") };
}

function collide(a: Point, b: Point): boolean {
  return Math.abs(a.x - b.x) < LABEL.width && Math.abs(a.y - b.y) < LABEL.height;
}
