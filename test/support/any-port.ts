import net from "node:net";

import { vi } from "vitest";

/** Servers listen on any free port, as a documented one may be in use, until all mocks are restored. */
export function listenOnAnyPort(onListen: (server: net.Server) => void): void {
  const { listen } = net.Server.prototype;
  vi.spyOn(net.Server.prototype, "listen").mockImplementation(function (this: net.Server, ...args: unknown[]) {
    onListen(this);
    Reflect.apply(listen, this, withAnyPort(args));
    return this;
  });
}

/** The arguments of `listen`, with a free port. */
function withAnyPort([first, ...rest]: unknown[]): unknown[] {
  if (typeof first === "number") return [0, ...rest];
  return typeof first === "object" ? [{ ...first, port: 0 }, ...rest] : [first, ...rest];
}
