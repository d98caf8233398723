import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  METRIC_HTTP_CLIENT_REQUEST_DURATION,
} from "@opentelemetry/semantic-conventions";

import type { Rpc } from "../observe/rpc.ts";
import { knownMethod, portOf } from "./attributes.ts";
import { instruments, seconds } from "./meter.ts";
import { METRIC_RPC_CLIENT_CALL_DURATION } from "./rpc-conventions.ts";
import { rpcAttributes } from "./rpc.ts";

const clientInstruments = instruments((meter) => ({
  duration: seconds(meter, METRIC_HTTP_CLIENT_REQUEST_DURATION, "Duration of HTTP client requests."),
  rpcDuration: seconds(meter, METRIC_RPC_CLIENT_CALL_DURATION, "Duration of calls."),
}));

/** What is told of one call: its attempt is over. */
export interface MeasuredCall {
  readonly method: string;
  /** `undefined` where it is not known. */
  readonly url: URL | undefined;
  readonly rpc: Rpc | undefined;
  readonly status: number | undefined;
  /** What kept it from going well, if anything did. */
  readonly errorType: string | undefined;
  /** Milliseconds. */
  readonly elapsed: number;
}

/** Whether calls are measured at all. */
export function isMeasured(): boolean {
  return clientInstruments() !== undefined;
}

/** Records how long a call took, where somebody measures. */
export function measureCall({ method, url, rpc, status, errorType, elapsed }: MeasuredCall): void {
  const known = clientInstruments();
  if (known === undefined) return;
  const common = {
    ...(url === undefined ? undefined : { [ATTR_SERVER_ADDRESS]: url.hostname, [ATTR_SERVER_PORT]: portOf(url) }),
    ...(errorType === undefined ? undefined : { [ATTR_ERROR_TYPE]: errorType }),
  };
  if (rpc !== undefined) return known.rpcDuration.record(elapsed / 1000, { ...rpcAttributes(rpc), ...common });
  known.duration.record(elapsed / 1000, {
    [ATTR_HTTP_REQUEST_METHOD]: knownMethod(method),
    ...common,
    ...(status === undefined ? undefined : { [ATTR_HTTP_RESPONSE_STATUS_CODE]: status }),
  });
}
