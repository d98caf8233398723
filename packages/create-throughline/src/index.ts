export { create } from "./create.ts";
export { type Framework, type Language, type ServiceOptions } from "./service-options.ts";
