export { type Config, plugin as default, plugin as "module.exports", type Plugin, type Rule } from "./plugin.ts";
