// Attributes of the semantic conventions for messaging, which are not marked stable.

/** The broker: `rabbitmq`, `nats`, `kafka`. */
export const ATTR_MESSAGING_SYSTEM = "messaging.system";
/** `send` or `process`. */
export const ATTR_MESSAGING_OPERATION_NAME = "messaging.operation.name";
/** `send` or `process`. */
export const ATTR_MESSAGING_OPERATION_TYPE = "messaging.operation.type";
/** The queue, topic or subject. */
export const ATTR_MESSAGING_DESTINATION_NAME = "messaging.destination.name";
