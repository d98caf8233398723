// Throughline beside other implementations: of gRPC, and of docs/specification.md. `npm run test:interop`
import { printCounts } from "./checks.ts";
import { testGrpc } from "./grpc.ts";
import { testHops } from "./hops.ts";

await testGrpc();
await testHops();
printCounts();
