import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";
import { parse } from "yaml";

const FOLDER = "examples/collector";

function read(file: string): unknown {
  return parse(readFileSync(join(FOLDER, file), "utf8"), { strict: true, uniqueKeys: true });
}

interface Compose {
  readonly services: Record<
    string,
    {
      readonly image: string;
      readonly profiles: string[];
      readonly volumes?: string[];
      readonly ports?: string[];
      readonly networks?: { readonly default: { readonly aliases: string[] } };
    }
  >;
  readonly volumes: object;
}

interface Collector {
  readonly receivers: { readonly otlp: { readonly protocols: Record<string, { readonly endpoint: string }> } };
  readonly processors: Record<string, unknown>;
  readonly exporters: Record<string, { readonly endpoint: string }>;
  readonly service: { readonly pipelines: Record<string, Record<"receivers" | "processors" | "exporters", string[]>> };
}

describe("the files for a Collector", () => {
  const compose = read("compose.yaml") as Compose;
  const collector = read("collector.yaml") as Collector;
  const services = Object.entries(compose.services);

  it("reference defined components in each pipeline, with the memory limiter first", () => {
    for (const pipeline of Object.values(collector.service.pipelines)) {
      for (const kind of ["receivers", "processors", "exporters"] as const) {
        expect(Object.keys(collector[kind])).toEqual(expect.arrayContaining(pipeline[kind]));
      }
      expect(pipeline.processors[0]).toBe("memory_limiter");
    }
  });

  it("mount existing files and declared volumes", () => {
    for (const source of services.flatMap(([, { volumes = [] }]) => volumes.map((each) => each.split(":")[0]!))) {
      if (source.startsWith("./")) expect(existsSync(join(FOLDER, source))).toBe(true);
      else expect(Object.keys(compose.volumes)).toContain(source);
    }
  });

  it("publish ports on loopback only and use images with fixed versions", () => {
    for (const [, { image, ports = [] }] of services) {
      expect(image).toMatch(/:\d+\.\d+\.\d+$/);
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    }
  });

  it("receive on the published ports and export to one service in each profile", () => {
    const inside = Object.values(collector.receivers.otlp.protocols).map(({ endpoint }) => endpoint.split(":")[1]);
    const published = compose.services["collector"]!.ports!.map((port) => port.split(":")[2]);
    expect(published).toEqual(inside);

    const host = collector.exporters["otlp/traces"]!.endpoint.split(":")[0]!;
    for (const profile of compose.services["collector"]!.profiles) {
      const receivers = services.filter(
        ([, { profiles, networks }]) => profiles.includes(profile) && networks?.default.aliases.includes(host),
      );
      expect(receivers).toHaveLength(1);
    }
  });

  it.each(["tempo.yaml", "grafana.yaml"])("%s is valid YAML", (file) => {
    expect(Object.keys(read(file) as object).length).toBeGreaterThan(0);
  });
});
