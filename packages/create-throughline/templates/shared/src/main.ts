import { startTelemetry } from "@throughline/telemetry";

import { start } from "./app.ts";
import { startStock } from "./stock.ts";

const telemetry = startTelemetry({ serviceName: "my-service" }); // to http://localhost:4318: npm run viewer
const stock = startStock(3001);
const service = await start(3000, "http://localhost:3001");
console.log("http://localhost:3000/search");

async function stop() {
  await telemetry.shutdown(service.stop()); // refuses new requests, and lets active ones finish
  stock.close();
}
process.on("SIGTERM", () => void stop()); // not `once`: a second signal would end the process
process.on("SIGINT", () => void stop());
