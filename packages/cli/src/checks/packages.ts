import { existsSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

import type { Finding } from "../finding.ts";
import { dependsOn, type InstalledPackage, type Project } from "../project.ts";

const LOWEST_NODE = [22, 15] as const;
const ISSUE = "Run 'npm dedupe', align the versions in package.json, or use 'overrides'.";

/** Node's version, copies, versions that do not fit, and module formats. */
export function checkPackages(project: Project): Finding[] {
  return [...checkNode(project), ...checkCopies(project), ...checkOpenTelemetry(project), ...checkFormat(project)];
}

function checkNode({ manifest }: Project): Finding[] {
  const findings: Finding[] = [];
  const lowest = LOWEST_NODE.join(".");
  if (isBefore(process.versions.node, LOWEST_NODE)) {
    findings.push({
      check: "node-version",
      severity: "error",
      message: `Node ${process.versions.node} is too old for Throughline, which needs ${lowest}.`,
      remedy: `Use Node ${lowest} or later.`,
    });
  }
  const range = manifest.engines?.node;
  const least = /(\d+)(?:\.(\d+))?/.exec(range ?? "");
  if (range !== undefined && least !== null && isBefore(`${least[1]}.${least[2] ?? "0"}`, LOWEST_NODE)) {
    findings.push({
      check: "node-version",
      severity: "warning",
      message: `The project allows Node versions that Throughline does not support: "${range}".`,
      where: "package.json: engines.node",
      remedy: `Set "engines": { "node": ">=${lowest}" }.`,
    });
  }
  return findings;
}

function isBefore(version: string, [major, minor]: readonly [number, number]): boolean {
  const [actualMajor = 0, actualMinor = 0] = version.split(".").map(Number);
  return actualMajor < major || (actualMajor === major && actualMinor < minor);
}

function checkCopies({ folder, installed }: Project): Finding[] {
  const findings: Finding[] = [];
  const place = (each: InstalledPackage): string => `${relative(folder, each.folder)} (${each.version})`;
  const copies = Map.groupBy(installed, ({ name }) => name);
  for (const [name, each] of copies) {
    if (each.length < 2) continue;
    const where = each.map(place).join(", ");
    if (name.startsWith("@throughline/")) {
      findings.push({
        check: "copies",
        severity: "error",
        message: `${name} is installed ${each.length} times: a Context of one copy is unknown to the other.`,
        where,
        remedy: ISSUE,
      });
    } else if (name === "@opentelemetry/api") {
      const isOld = new Set(each.map(({ version }) => version.split(".")[0])).size > 1;
      findings.push({
        check: "copies",
        severity: isOld ? "error" : "warning",
        message: `${name} is installed ${each.length} times: spans of one copy may be invisible to the other.`,
        where,
        remedy: ISSUE,
      });
    }
  }
  const versions = new Set(
    installed.filter(({ name }) => name.startsWith("@throughline/")).map(({ version }) => version),
  );
  if (versions.size > 1) {
    findings.push({
      check: "versions",
      severity: "error",
      message: `The packages of Throughline have different versions: ${[...versions].toSorted().join(", ")}.`,
      remedy: "Install the same version of all @throughline packages: they are released together.",
    });
  }
  return findings;
}

function checkOpenTelemetry(project: Project): Finding[] {
  const { installed } = project;
  const versionsOf = (name: string): string[] =>
    installed.filter((each) => each.name === `@opentelemetry/${name}`).map(({ version }) => version);
  const findings: Finding[] = [];
  for (const version of versionsOf("api")) {
    if (!isBefore(version, [1, 9])) continue;
    findings.push({
      check: "opentelemetry-versions",
      severity: "error",
      message: `@opentelemetry/api ${version} is too old: Throughline needs 1.9.`,
      remedy: "npm install @opentelemetry/api@^1.9.0",
    });
  }
  const majors = new Set(versionsOf("sdk-trace-base").map((version) => version.split(".")[0]!));
  if (majors.size > 1) {
    findings.push({
      check: "opentelemetry-versions",
      severity: "error",
      message: `@opentelemetry/sdk-trace-base is installed in versions ${[...majors].toSorted().join(" and ")}, which do not fit.`,
      remedy: "Update all @opentelemetry/sdk-* packages and exporters together: 2.x belongs to 0.200 and later.",
    });
  }
  const usesTelemetry = installed.some(({ name }) => name === "@throughline/telemetry");
  for (const version of versionsOf("sdk-node")) {
    if (!usesTelemetry || !isBefore(version, [0, 200])) continue;
    findings.push({
      check: "opentelemetry-versions",
      severity: "error",
      message: `@opentelemetry/sdk-node ${version} is too old for @throughline/telemetry, which needs 0.200.`,
      remedy: "npm install @opentelemetry/sdk-node@latest",
    });
  }
  if (dependsOn(project, "@throughline/telemetry") && versionsOf("sdk-node").length === 0) {
    findings.push({
      check: "opentelemetry-versions",
      severity: "error",
      message: "@throughline/telemetry is a dependency, and @opentelemetry/sdk-node is not installed.",
      remedy: "npm install @opentelemetry/sdk-node",
    });
  }
  return findings;
}

function checkFormat(project: Project): Finding[] {
  const findings: Finding[] = [];
  const usesOurs = project.sources.some(({ imports }) => [...imports].some((each) => each.startsWith("@throughline/")));
  const file = join(project.folder, "tsconfig.json");
  const tsconfig = existsSync(file) ? readFileSync(file, "utf8") : "";
  if (usesOurs && /"moduleResolution"\s*:\s*"(?:node|node10|classic)"/i.test(tsconfig)) {
    findings.push({
      check: "module-format",
      severity: "error",
      message: "This moduleResolution ignores the 'exports' of packages, so TypeScript finds no types of Throughline.",
      where: "tsconfig.json: moduleResolution",
      remedy: 'Set "module": "nodenext".',
    });
  }
  const isCommonJs = project.manifest.type !== "module";
  if (isCommonJs && usesOurs && dependsOn(project, "jest")) {
    findings.push({
      check: "module-format",
      severity: "warning",
      message: "Throughline consists of ES modules, which Jest cannot load with require().",
      where: "package.json: jest",
      remedy: "Run Jest with NODE_OPTIONS=--experimental-vm-modules, or use Vitest or node:test.",
    });
  }
  return findings;
}
