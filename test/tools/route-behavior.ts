import { expect, it } from "vitest";

/**
 * What every framework's routes do. `items/<id>` answers `{ id, left }` with the time that is left, and `items/slow` never
 * answers.
 *
 * @param route what the framework calls it, for the titles
 */
export function itPassesDeadlinesToRoutes(route: string, urlOf: () => string): void {
  it(`${route} has the deadline of its caller`, async () => {
    const response = await fetch(`${urlOf()}/items/1`, { headers: { "grpc-timeout": "1S" } });
    const { id, left } = (await response.json()) as { id: string; left: number };
    expect([response.status, id]).toEqual([200, "1"]);
    expect(left).toBeLessThanOrEqual(1000);
    expect(left).toBeGreaterThan(0);
  });

  it(`${route} that does not answer is answered 504 at its deadline`, async () => {
    const response = await fetch(`${urlOf()}/items/slow`, { headers: { "grpc-timeout": "150m" } });
    expect([response.status, await response.json()]).toMatchObject([504, { title: "Deadline exceeded" }]);
  });
}
