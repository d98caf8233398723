import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { formatTraces, type ViewedSpan } from "@throughline/viewer";

/** Spans in a batch: the maximum of OpenTelemetry's batch processor. */
export const SPANS = 512;

/** Spans in a trace, about as many as in the storefront example. */
const IN_TRACE = 16;

/** Stands for the number of the batch in the trace ids. */
const PLACEHOLDER = "aabbccddeeff0011";

const resource = { "service.name": "search", "process.pid": 4711, "host.name": "machine-7" };

/** Spans with the attributes of SERVER spans. */
const spans = Array.from({ length: SPANS }, (_, index): ViewedSpan => {
  const inTrace = index % IN_TRACE;
  const id = (at: number): string => (index - inTrace + at + 1).toString(16).padStart(16, "0");
  return {
    traceId:
      PLACEHOLDER +
      Math.floor(index / IN_TRACE)
        .toString(16)
        .padStart(16, "0"),
    spanId: id(inTrace),
    parentSpanId: inTrace === 0 ? undefined : id(inTrace - 1),
    service: "search",
    name: "GET /items/:id",
    kind: "server",
    start: 1_700_000_000_000 + index,
    end: 1_700_000_000_020 + index,
    attributes: {
      "http.request.method": "GET",
      "url.scheme": "http",
      "url.path": `/items/${index}`,
      "server.address": "search.internal",
      "server.port": 8080,
      "http.route": "/items/:id",
      "http.response.status_code": 200,
      "throughline.deadline.budget_ms": 1480 - index,
      "throughline.ended_by": "response",
    },
    failed: false,
    resource,
    scope: "@throughline/http",
  };
});

/** A batch whose trace ids contain its number. */
export interface Batch {
  readonly type: string;
  body(number: number): Buffer;
}

const digitsOf = (number: number): string => number.toString(16).padStart(PLACEHOLDER.length, "0");

function batch(type: string, body: Buffer, placeholder: Buffer, filled: (number: number) => Buffer): Batch {
  const offsets: number[] = [];
  for (let at = body.indexOf(placeholder); at !== -1; at = body.indexOf(placeholder, at + 1)) offsets.push(at);
  return {
    type,
    body(number) {
      const own = Buffer.from(body);
      for (const at of offsets) filled(number).copy(own, at);
      return own;
    },
  };
}

export const json: Batch = batch(
  "application/json",
  Buffer.from(JSON.stringify(formatTraces(spans))),
  Buffer.from(PLACEHOLDER),
  (number) => Buffer.from(digitsOf(number)),
);

export const protobuf: Batch = batch(
  "application/x-protobuf",
  Buffer.from(encode()),
  Buffer.from(PLACEHOLDER, "hex"),
  (number) => Buffer.from(digitsOf(number), "hex"),
);

function encode(): Uint8Array {
  const request = new BinaryWriter();
  within(request, 1, (of) => {
    within(of, 1, (inner) => pairs(inner, 1, resource));
    within(of, 2, (scope) => {
      within(scope, 1, (named) => named.tag(1, 2).string("@throughline/http"));
      for (const span of spans) within(scope, 2, (writer) => writeSpan(writer, span));
    });
  });
  return request.finish();
}

function within(writer: BinaryWriter, field: number, write: (inner: BinaryWriter) => void): void {
  const inner = new BinaryWriter();
  write(inner);
  writer.tag(field, 2).bytes(inner.finish());
}

function writeSpan(writer: BinaryWriter, span: ViewedSpan): void {
  writer.tag(1, 2).bytes(Buffer.from(span.traceId, "hex")).tag(2, 2).bytes(Buffer.from(span.spanId, "hex"));
  if (span.parentSpanId !== undefined) writer.tag(4, 2).bytes(Buffer.from(span.parentSpanId, "hex"));
  writer.tag(5, 2).string(span.name).tag(6, 0).int32(2);
  writer.tag(7, 1).fixed64(BigInt(span.start) * 1_000_000n);
  writer.tag(8, 1).fixed64(BigInt(span.end) * 1_000_000n);
  pairs(writer, 9, span.attributes);
}

function pairs(writer: BinaryWriter, field: number, attributes: ViewedSpan["attributes"]): void {
  for (const [key, value] of Object.entries(attributes)) {
    within(writer, field, (pair) => {
      pair.tag(1, 2).string(key);
      within(pair, 2, (inner) => {
        if (typeof value === "number") inner.tag(3, 0).int64(value);
        else inner.tag(1, 2).string(value as string);
      });
    });
  }
}
