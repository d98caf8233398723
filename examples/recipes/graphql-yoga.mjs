// GraphQL Yoga: one Context per operation. At the deadline the client gets the fields that are ready. JavaScript,
// because the types of Yoga include those of browsers, which would then apply to the whole repository.
import { current, DeadlineExceeded, run } from "@throughline/context";
import { requestContext } from "@throughline/http";
import { createGraphQLError, createYoga, maskError } from "graphql-yoga";

import { withMargin } from "./with-margin.ts";

/** Ends the context of the resolvers before that of the request, so that the operation completes with partial data. */
const partialData = {
  onExecute({ executeFn, setExecuteFn }) {
    setExecuteFn(async (args) => {
      const [ctx, cancel] = withMargin(current());
      try {
        return await run(ctx, executeFn, args);
      } finally {
        cancel();
      }
    });
  },
};

/** Yoga hides the errors of resolvers from the client. A deadline is no secret. */
function mask(error, message, isDev) {
  const { originalError, nodes, path } = error;
  if (!(originalError instanceof DeadlineExceeded)) return maskError(error, message, isDev);
  return createGraphQLError("Deadline exceeded", { nodes, path, extensions: { code: "DEADLINE_EXCEEDED" } });
}

/** A listener for `node:http`. Resolvers wait with `current()`. */
export function graphqlListener(yogaOptions, options) {
  const plugins = [...(yogaOptions.plugins ?? []), partialData];
  return requestContext(createYoga({ ...yogaOptions, plugins, maskedErrors: { maskError: mask } }), options);
}
