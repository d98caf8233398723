/**
 * Keeps this process from waiting idly until the function that it returns is called. Waking it up would cost whoever is measured the
 * more the slower it is, and would come late: what a server sees, it sees at once.
 */
export function stayAwake(): () => void {
  let isAwake = true;
  const turn = (): void => void (isAwake && setImmediate(turn));
  turn();
  return () => void (isAwake = false);
}
