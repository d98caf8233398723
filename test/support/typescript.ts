/**
 * Arguments of Node before the path of a TypeScript program. Before 22.18, Node strips types only with a flag and
 * prints a warning.
 */
export const typescript: readonly string[] = process.features.typescript
  ? []
  : ["--experimental-strip-types", "--disable-warning=ExperimentalWarning"];
