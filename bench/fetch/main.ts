import { calls } from "./calls.ts";
import { cancellation } from "./cancellation.ts";

await calls();
console.log("");
await cancellation();
