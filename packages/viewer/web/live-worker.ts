/// <reference lib="webworker" />
// One event stream for all tabs: over HTTP/1.1 a browser opens at most six connections to a server, and a stream in
// each tab would leave none for the seventh.

/** A message to the tabs. */
export type LiveMessage = { readonly type: "open" | "lost" } | { readonly type: "change"; readonly data: string };

const ports = new Set<MessagePort>();
let source: EventSource | undefined;
let last: LiveMessage[] = [];

function send(message: LiveMessage): void {
  last = message.type === "change" ? [...last.filter(({ type }) => type !== "change"), message] : [message];
  for (const port of ports) port.postMessage(message);
}

function connect(url: string): void {
  source = new EventSource(url);
  source.addEventListener("open", () => send({ type: "open" }));
  source.addEventListener("error", () => send({ type: "lost" }));
  source.addEventListener("change", ({ data }: MessageEvent<string>) => send({ type: "change", data }));
}

const scope = globalThis as unknown as SharedWorkerGlobalScope;
scope.addEventListener("connect", ({ ports: [port] }) => {
  if (port === undefined) return;
  port.addEventListener("message", ({ data }: MessageEvent<{ url?: string; isLeaving?: boolean }>) => {
    if (data.isLeaving === true) {
      ports.delete(port);
      return;
    }
    ports.add(port);
    if (source === undefined) connect(data.url!);
    else for (const message of last) port.postMessage(message);
  });
  port.start();
});
