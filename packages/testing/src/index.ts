export {
  chaosHandler,
  chaosKoa,
  type ChaosKoa,
  type ChaosKoaContext,
  chaosMiddleware,
  type ChaosMiddleware,
  type Chaotic,
} from "./chaos-server.ts";
export { chaos, type ChaosOptions, type ChaoticFetch } from "./chaos.ts";
export { runWithClock, type RunWithClockOptions, startClock, type TestClock, type Waiting } from "./clock.ts";
export { type Fault, type FaultOptions } from "./faults.ts";
export { inContext, type TestContextOptions } from "./in-context.ts";
export { assertNoLeaks, type Leak, leaks } from "./leaks.ts";
export {
  openRequest,
  type OpenRequest,
  type OpenRequestOptions,
  type ReceivedResponse,
  type Target,
} from "./leaving-client.ts";
export { assertEndedBy, budget, endedBy, type EndedBy } from "./outcome.ts";
export { type PeerCall } from "./peer-call.ts";
export { fetchOf, peer, type Peer, type PeerOptions } from "./peer.ts";
export { runAsPeer } from "./run-as-peer.ts";
export { type RecordedSpan, recordSpans, type RecordedSpans } from "./spans.ts";
export { fakeToken, fakeVerifier, injectTestPrincipal, testPrincipal } from "./test-principal.ts";
