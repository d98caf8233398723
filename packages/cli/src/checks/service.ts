import { createServer } from "node:http";

import type { Finding } from "../finding.ts";

/** Headers that a request carries between services. */
const HEADERS: Record<string, string> = {
  "grpc-timeout": "5S",
  "connect-timeout-ms": "5000",
  "x-envoy-expected-rq-timeout-ms": "5000",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  tracestate: "doctor=1",
  baggage: "doctor=1",
  "throughline-criticality": "default",
};

/** A clock that differs by less is normal: `date` has whole seconds, and the answer took a while. */
const MAX_SKEW_MS = 5_000;
const TIMEOUT_MS = 10_000;

/**
 * Sends requests without time left to a running service. A service with this library answers each of them 504, and runs
 * no handler; one without it handles them as usual.
 */
export async function checkService(url: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  const add = (severity: Finding["severity"], check: string, message: string, remedy?: string): void =>
    void findings.push({ check, severity, message, where: url, ...(remedy === undefined ? {} : { remedy }) });

  const headers: readonly [name: string, value: string][] = [
    ["grpc-timeout", "0m"],
    ["connect-timeout-ms", "0"],
    ["x-envoy-expected-rq-timeout-ms", "0"],
  ];
  const accepted: string[] = [];
  for (const [name, value] of headers) {
    let response: Response;
    const sentAt = Date.now();
    try {
      response = await fetch(url, { headers: { [name]: value }, signal: AbortSignal.timeout(TIMEOUT_MS) });
      await response.body?.cancel();
    } catch (error) {
      const { message, cause } = error as Error;
      add("error", "service", `The service does not answer: ${cause instanceof Error ? cause.message : message}.`);
      return findings;
    }
    if (response.status === 504 && response.headers.has("throughline-outcome")) accepted.push(name);
    else if (response.status === 504) {
      add(
        "warning",
        "service-outcome",
        "A 504 has no 'throughline-outcome': a proxy removes this header, or answers itself.",
        "Let the proxy pass 'throughline-outcome', so that callers distinguish its 504 from the service's.",
      );
      accepted.push(name);
    }
    const date = Date.parse(response.headers.get("date") ?? "");
    const skew = date - (sentAt + Date.now()) / 2;
    if (name === "grpc-timeout" && Math.abs(skew) > MAX_SKEW_MS) {
      add(
        "warning",
        "clock",
        `The clock of the service differs by ${Math.round(skew / 1000)} s from this one.`,
        "Synchronize both by NTP. Deadlines over HTTP do not depend on it; those of messages and tokens do.",
      );
    }
  }
  if (accepted.length === 0) {
    add(
      "warning",
      "service-deadline",
      "A request without time left is not answered 504.",
      "Add requestContext() to the service, set its mode to 'enforce', or let the proxy pass the deadline headers.",
    );
  } else if (accepted.length < headers.length) {
    const lost = headers.map(([name]) => name).filter((name) => !accepted.includes(name));
    add(
      "warning",
      "service-deadline",
      `The service does not see these headers: ${lost.join(", ")}. It sees ${accepted.join(", ")}.`,
      `Let the proxy pass them, or send a header that arrives: createFetch({ dialect }).`,
    );
  } else {
    add(
      "info",
      "service-deadline",
      "The service reads the deadline of its callers, and answers 504 when it has passed.",
    );
  }
  return findings;
}

/**
 * Listens on a port and sends a request to itself through a URL, by which a proxy leads to that port. Reports the headers
 * that do not arrive.
 */
export async function checkProxy(url: string, port: number): Promise<Finding[]> {
  let received: Record<string, unknown> | undefined;
  const server = createServer((req, res) => {
    received = req.headers;
    res.setHeader("throughline-outcome", "deadline-exceeded;started=?0");
    res.end();
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, resolve));
  try {
    const response = await fetch(url, { headers: HEADERS, signal: AbortSignal.timeout(TIMEOUT_MS) });
    await response.body?.cancel();
    if (received === undefined) {
      const message = `A request to this URL does not arrive at port ${port}; the answer was ${response.status}.`;
      return [{ check: "proxy", severity: "error", message, where: url, remedy: "Point the proxy at this port." }];
    }
    const seen = received;
    const findings: Finding[] = Object.entries(HEADERS)
      .filter(([name]) => seen[name] === undefined)
      .map(([name]) => ({
        check: "proxy",
        severity: "error",
        message: `The proxy removes the request header '${name}'.`,
        where: url,
        remedy: "Let the proxy pass it, or choose another header: 'deadlineHeaders' of servers, 'dialect' of clients.",
      }));
    if (!response.headers.has("throughline-outcome")) {
      findings.push({
        check: "proxy",
        severity: "warning",
        message: "The proxy removes the response header 'throughline-outcome'.",
        where: url,
        remedy: "Let the proxy pass it, so that callers distinguish its 504 from the service's.",
      });
    }
    if (findings.length > 0) return findings;
    return [{ check: "proxy", severity: "info", message: "All headers arrive through the proxy.", where: url }];
  } catch (error) {
    const { message, cause } = error as Error;
    const reason = cause instanceof Error ? cause.message : message;
    return [{ check: "proxy", severity: "error", message: `The proxy does not answer: ${reason}.`, where: url }];
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
