import { hueOf } from "./service-hues.ts";

/** A service by its colour and its name. */
export function ServiceTag({ name }: { readonly name: string }) {
  return (
    <span class="service-tag" style={{ "--hue": hueOf(name) }}>
      <span class="service-dot" aria-hidden="true" />
      {name}
    </span>
  );
}
