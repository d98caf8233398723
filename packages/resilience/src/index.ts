export { fanOut, type FanOut, type FanOutOptions } from "./fan-out.ts";
export { sleep } from "./sleep.ts";
