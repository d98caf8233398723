import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  METRIC_HTTP_CLIENT_REQUEST_DURATION,
} from "@opentelemetry/semantic-conventions";

import { knownMethod, portOf } from "./attributes.ts";
import { instruments, seconds } from "./meter.ts";

const clientInstruments = instruments((meter) => ({
  duration: seconds(meter, METRIC_HTTP_CLIENT_REQUEST_DURATION, "Duration of HTTP client requests."),
}));

/** What is told of one call: its attempt is over. */
export interface MeasuredCall {
  readonly method: string;
  readonly url: URL;
  readonly status: number | undefined;
  /** What kept it from going well, if anything did. */
  readonly errorType: string | undefined;
  /** Milliseconds. */
  readonly elapsed: number;
}

/** Records how long a call took, where somebody measures. */
export function measureCall({ method, url, status, errorType, elapsed }: MeasuredCall): void {
  clientInstruments()?.duration.record(elapsed / 1000, {
    [ATTR_HTTP_REQUEST_METHOD]: knownMethod(method),
    [ATTR_SERVER_ADDRESS]: url.hostname,
    [ATTR_SERVER_PORT]: portOf(url),
    ...(status === undefined ? undefined : { [ATTR_HTTP_RESPONSE_STATUS_CODE]: status }),
    ...(errorType === undefined ? undefined : { [ATTR_ERROR_TYPE]: errorType }),
  });
}
