import { mergeConfig } from "vitest/config";

import config from "../../vitest.config.ts";

/** The blocks of the README of `@throughline/testing`, which `runners.test.ts` writes to files. */
const blocks: ReturnType<typeof mergeConfig> = mergeConfig(config, {});
blocks["test"].include = ["test/testing/.blocks/*.ts"];

export default blocks;
