// The modules of Node for this folder. They are not imported, because edge runtimes load this folder too: they lack most
// of the modules, and never call what needs them. `process` is here, and `setImmediate` a property of `globalThis`, because
// the bundler of Next.js warns of the variables.
import type diagnosticsChannel from "node:diagnostics_channel";
import type eventsModule from "node:events";
import type http1 from "node:http";
import type http2Module from "node:http2";
import type httpsModule from "node:https";
import type netModule from "node:net";
import type processModule from "node:process";

import { nodeModule } from "@throughline/context/internal";

export const channels: typeof diagnosticsChannel | undefined = nodeModule("node:diagnostics_channel");
export const events: typeof eventsModule = nodeModule("node:events")!;
export const http: typeof http1 = nodeModule("node:http")!;
export const http2: typeof http2Module = nodeModule("node:http2")!;
export const https: typeof httpsModule = nodeModule("node:https")!;
export const net: typeof netModule = nodeModule("node:net")!;
export const process: typeof processModule = nodeModule("node:process")!;
