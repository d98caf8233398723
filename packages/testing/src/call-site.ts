/** Files of this project's packages, wherever they are installed, and of Node. Test files are the caller's. */
const OWN =
  /node:|\/(?:@throughline|packages)\/(?:context|fetch|express|koa|http|grpc|resilience|identity|telemetry|drivers|messages|testing)\/(?:src|dist)\/(?!.*\.test\.)/;

const MAX_FRAMES = 24;

/** A frame with a function, `at sleep (file:1:2)`, or without, `at file:1:2`. */
const FRAME = /^\s*at (?:async )?(?:(.+) \()?(.+?:\d+:\d+)\)?$/;

/**
 * Returns where code outside of this project's packages called them: `sleep at search.test.ts:12:9`. Empty if no such
 * code is on the stack.
 */
export function callerOutside(): string {
  const holder: { stack?: string } = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = MAX_FRAMES;
  Error.captureStackTrace(holder);
  const { stack } = holder;
  Error.stackTraceLimit = limit;
  let called: string | undefined;
  for (const line of stack?.split("\n").slice(1) ?? []) {
    const [, name, file] = FRAME.exec(line) ?? [];
    if (file === undefined) continue;
    if (!OWN.test(file.replaceAll("\\", "/"))) {
      const place = file.replace(/^file:\/\//, "");
      return called === undefined ? place : `${called} at ${place}`;
    }
    called = name?.replace(/^(?:Object|Module|Function)\./, "") ?? called;
  }
  return "";
}
