import { ServiceColors } from "../src/analysis/service-colors.ts";

/** Shared by all pages, so that a service has the same color everywhere. */
const colors = new ServiceColors();

export function knowServices(services: Iterable<string>): void {
  colors.add(services);
}

export function hueOf(service: string): number {
  return colors.hue(service);
}

/** The name of a service with its color. */
export function ServiceTag({ name }: { readonly name: string }) {
  return (
    <span class="service-tag" style={{ "--hue": hueOf(name) }}>
      <span class="service-dot" aria-hidden="true" />
      {name}
    </span>
  );
}
