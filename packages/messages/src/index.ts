export { consume, type Consumed, type ConsumeOptions, type Disposition, type MessageHeaders } from "./consume.ts";
export { Consumers, type ConsumersDrainOptions } from "./consumers.ts";
export { detach, type DetachOptions } from "./detach.ts";
export { envelope, type Envelope, type EnvelopeOptions } from "./envelope.ts";
export { every, type EveryOptions, type StopSchedule } from "./every.ts";
