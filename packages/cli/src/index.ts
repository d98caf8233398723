export { diagnose, type DoctorOptions, formatFindings } from "./doctor.ts";
export { type Finding } from "./finding.ts";
