export { create, type Framework, type Language, type ServiceOptions } from "./create.ts";
