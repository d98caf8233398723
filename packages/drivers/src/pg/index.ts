export {
  type PgClient,
  type PgPool,
  type PgResult,
  query,
  transaction,
  type TransactionOptions,
  withContext,
  type WithContextOptions,
} from "./pool.ts";
export { cancelRequest } from "./cancel-request.ts";
