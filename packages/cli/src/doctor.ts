import { checkEnvironment } from "./checks/environment.ts";
import { checkPackages } from "./checks/packages.ts";
import { checkProxy, checkService } from "./checks/service.ts";
import { checkSources } from "./checks/sources.ts";
import type { Finding } from "./finding.ts";
import { readProject } from "./project.ts";

export interface DoctorOptions {
  /** A running service, to which requests without time left are sent. @default none */
  url?: string;
  /** A URL by which a proxy leads to `port` of this machine. @default none */
  proxy?: string;
  /** The port that the doctor listens on for `proxy`. */
  port?: number;
  /** Environment variables, which win over those of `.env`. @default process.env */
  env?: NodeJS.ProcessEnv;
}

/**
 * Examines a project, and a running service if it is given.
 *
 * @returns findings, errors first
 * @throws Error if the folder has no package.json
 */
export async function diagnose(folder: string, options: DoctorOptions = {}): Promise<Finding[]> {
  const { url, proxy, port, env } = options;
  const project = readProject(folder, env);
  const findings = [
    ...checkPackages(project),
    ...checkSources(project),
    ...checkEnvironment(project),
    ...(url === undefined ? [] : await checkService(url)),
    ...(proxy === undefined ? [] : await checkProxy(proxy, port ?? 0)),
  ];
  const order = ["error", "warning", "info"];
  return findings.toSorted((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
}

/** The findings as text: one paragraph each, and a last line with counts. */
export function formatFindings(findings: readonly Finding[]): string {
  const paragraphs = findings.map(({ severity, check, message, where, remedy }) =>
    [
      `${severity}: ${message} (${check})`,
      ...(where === undefined ? [] : [`  at:     ${where}`]),
      ...(remedy === undefined ? [] : [`  remedy: ${remedy}`]),
    ].join("\n"),
  );
  const count = (severity: string): string => {
    const { length } = findings.filter((each) => each.severity === severity);
    return `${length} ${severity}${length === 1 ? "" : "s"}`;
  };
  return [...paragraphs, `${count("error")}, ${count("warning")}`].join("\n\n");
}
