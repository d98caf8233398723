/** Marks our own problem responses, so that a client can tell our 504 from that of a proxy. A structured field (RFC 9651). */
export const OUTCOME_HEADER = "throughline-outcome";
