export { type Driver, lease, type LeaseOptions } from "./lease.ts";
