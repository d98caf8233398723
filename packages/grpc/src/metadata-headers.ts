import type { Metadata } from "@grpc/grpc-js";
import type { RequestHeaders } from "@throughline/http/adapter";

/** The text of a call's metadata, as headers. What is binary is the application's. */
export class MetadataHeaders implements RequestHeaders {
  readonly #metadata: Metadata;
  readonly #timeout: string | undefined;

  /** @param timeout the `grpc-timeout` of the call, which is not in the metadata any more */
  constructor(metadata: Metadata, timeout?: string) {
    this.#metadata = metadata;
    this.#timeout = timeout;
  }

  get(name: string): string | readonly string[] | undefined {
    if (name === "grpc-timeout") return this.#timeout;
    if (name.endsWith("-bin")) return undefined;
    const values = this.#metadata.get(name) as string[];
    return values.length === 0 ? undefined : values.length === 1 ? values[0] : values;
  }

  names(): readonly string[] {
    const names = Object.keys(this.#metadata.getMap()).filter((name) => !name.endsWith("-bin"));
    return this.#timeout === undefined ? names : [...names, "grpc-timeout"];
  }
}
