export { type Principal, principal, withPrincipal } from "./principal.ts";
