// Apollo Server: one Context per operation. At the deadline the client gets the fields that are ready.
import type { ApolloServer, ApolloServerOptions, BaseContext } from "@apollo/server";
import { unwrapResolverError } from "@apollo/server/errors";
import { expressMiddleware } from "@as-integrations/express5";
import { current, DeadlineExceeded, run } from "@throughline/context";
import { errorHandler, requestContext, type ServerOptions } from "@throughline/express";
import express, { type Express, type RequestHandler } from "express";

import { withMargin } from "./with-margin.ts";

/** The context of the resolvers ends before that of the request, so that the operation completes with partial data. */
const partialData: RequestHandler = (_req, res, next) => {
  const [ctx, cancel] = withMargin(current());
  res.once("close", () => cancel());
  run(ctx, next);
};

/** An option for `new ApolloServer()`. */
export const formatError: NonNullable<ApolloServerOptions<BaseContext>["formatError"]> = (formatted, error) =>
  unwrapResolverError(error) instanceof DeadlineExceeded
    ? { ...formatted, message: "Deadline exceeded", extensions: { code: "DEADLINE_EXCEEDED" } }
    : formatted;

/** An application with a started server. Resolvers wait with `current()`. */
export function graphqlApp(server: ApolloServer, options?: ServerOptions): Express {
  const app = express();
  app.use(requestContext(options), express.json(), partialData, expressMiddleware(server));
  app.use(errorHandler());
  return app;
}
