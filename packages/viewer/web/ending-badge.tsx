import type { Ending } from "../src/analysis/ending.ts";

export function EndingBadge({ label, tone }: Ending) {
  return label === "" ? <span class="muted">–</span> : <span class={`badge tone-${tone}`}>{label}</span>;
}
