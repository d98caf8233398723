export { consume, type Consumed, type ConsumeOptions, type Disposition, type MessageHeaders } from "./consume.ts";
export { Consumers, type ConsumersDrainOptions } from "./consumers.ts";
export { detach, type DetachOptions } from "./detach.ts";
export { envelope, type Envelope, type EnvelopeOptions } from "./envelope.ts";
export { every, type EveryOptions, type StopSchedule } from "./every.ts";
export { job, type JobOptions, type RunJob } from "./job.ts";
export {
  fromWire,
  type FromWireOptions,
  linkCancel,
  receive,
  type ReceivingPort,
  type SendingPort,
  type StopLink,
  toWire,
  type Wire,
  type WireOptions,
} from "./wire.ts";
