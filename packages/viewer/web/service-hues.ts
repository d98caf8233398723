import { ServiceColors } from "../src/analysis/service-colors.ts";

/** Of all pages: a service looks the same in a list and in a trace. */
const colors = new ServiceColors();

export function knowServices(services: Iterable<string>): void {
  colors.add(services);
}

export function hueOf(service: string): number {
  return colors.hue(service);
}
