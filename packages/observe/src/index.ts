export { Observer, type ObserverOptions } from "./observer.ts";
export { formatReport, type Report, type RouteReport } from "./report.ts";
