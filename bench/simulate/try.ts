import { simulate, type Build } from "./simulation.ts";
import { threeTiers } from "./topology.ts";
const PLACES = Number(process.env.PLACES ?? 20);
const CAP = PLACES / 0.04;
const builds: Record<string, Build> = {
  plain: { hasContext: false },
  deadlines: { hasContext: true },
  foreign: { hasContext: true, isForeignPool: true },
  tuned: { hasContext: true, admission: { concurrency: PLACES * 2 } },
  "foreign tuned": { hasContext: true, isForeignPool: true, admission: { concurrency: PLACES * 2 } },
  adaptive: { hasContext: true, admission: "adaptive" as never },
  "foreign adaptive": { hasContext: true, isForeignPool: true, admission: "adaptive" as never },
};
const secs = Number(process.env.SECONDS ?? 10);
for (const [name, build] of Object.entries(builds)) {
  if (!name.includes(process.env.BUILD ?? "")) continue;
  for (const load of (process.env.LOADS ?? "0.9,1,1.5,2,3").split(",").map(Number)) {
    const from = performance.now();
    let r;
    try {
      r = await simulate({
        topology: threeTiers(PLACES, 40),
        build,
        rate: (s) => (s < 2 ? CAP / 2 : s < 2 + secs ? CAP * load : CAP / 2),
        seconds: secs + 12,
        patience: 500,
        attempts: Number(process.env.ATTEMPTS ?? 3),
        seed: 1,
      });
    } catch (e) {
      console.log(name, String(e).slice(0, 100));
      break;
    }
    const during = r.answers.filter((a) => a.at >= 2000 && a.at < 2000 + secs * 1000);
    const took = r.answers
      .filter((a) => a.until >= 2000 && a.until < 2000 + secs * 1000)
      .flatMap((a) => a.took ?? [])
      .sort((a, b) => a - b);
    const after = (x: number) => {
      const s = r.answers.filter((a) => a.at >= x && a.at < x + 1000);
      return s.filter((a) => a.took !== undefined && a.attempts === 1).length / s.length;
    };
    let rec = "never";
    for (let x = 2000 + secs * 1000; x < 2000 + secs * 1000 + 9000; x += 250)
      if (after(x) >= 0.95) {
        rec = ((x - 2000 - secs * 1000) / 1000).toFixed(1);
        break;
      }
    const w = r.work.get("store")!;
    console.log(
      name.padEnd(18),
      load,
      "goodput",
      Math.round((100 * took.length) / secs / CAP),
      "% of offered",
      Math.round((100 * took.length) / during.length),
      "vain",
      Math.round((100 * w.inVain) / w.done),
      "p50",
      Math.round(took[took.length >> 1] ?? NaN),
      "p99",
      Math.round(took[Math.floor(took.length * 0.99)] ?? NaN),
      "rec",
      rec,
      "att",
      (w.arrived / r.answers.length).toFixed(1),
      "|",
      r.requests,
      "req",
      Math.round(performance.now() - from),
      "ms",
    );
  }
}
