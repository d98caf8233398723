import { lazyInstruments } from "@throughline/context/internal";

import type { Rpc } from "../observe/rpc.ts";
import { knownMethod, portOf } from "./attributes.ts";
import { SCOPE, seconds } from "./meter.ts";
import { rpcAttributes } from "./rpc.ts";
import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  METRIC_HTTP_CLIENT_REQUEST_DURATION,
  METRIC_RPC_CLIENT_CALL_DURATION,
} from "./semantic-conventions.ts";

const clientInstruments = lazyInstruments(SCOPE, (meter) => ({
  duration: seconds(meter, METRIC_HTTP_CLIENT_REQUEST_DURATION, "Duration of HTTP client requests."),
  rpcDuration: seconds(meter, METRIC_RPC_CLIENT_CALL_DURATION, "Duration of RPC client calls."),
}));

/** A finished attempt of a call. */
export interface MeasuredCall {
  readonly method: string;
  /** `undefined` if it is not known. */
  readonly url: URL | undefined;
  readonly rpc: Rpc | undefined;
  readonly status: number | undefined;
  /** `error.type`, if the attempt failed. */
  readonly errorType: string | undefined;
  /** Milliseconds. */
  readonly elapsed: number;
}

/** Whether a metrics SDK is set up. */
export function isMeasured(): boolean {
  return clientInstruments() !== undefined;
}

/** Records the duration of a call, if a metrics SDK is set up. */
export function measureCall({ method, url, rpc, status, errorType, elapsed }: MeasuredCall): void {
  const instruments = clientInstruments();
  if (instruments === undefined) return;
  const common = {
    ...(url === undefined ? undefined : { [ATTR_SERVER_ADDRESS]: url.hostname, [ATTR_SERVER_PORT]: portOf(url) }),
    ...(errorType === undefined ? undefined : { [ATTR_ERROR_TYPE]: errorType }),
  };
  if (rpc !== undefined) return instruments.rpcDuration.record(elapsed / 1000, { ...rpcAttributes(rpc), ...common });
  instruments.duration.record(elapsed / 1000, {
    [ATTR_HTTP_REQUEST_METHOD]: knownMethod(method),
    ...common,
    ...(status === undefined ? undefined : { [ATTR_HTTP_RESPONSE_STATUS_CODE]: status }),
  });
}
