// A machine without PostgreSQL and NATS.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const { existsSync } = fs;
fs.existsSync = (path) => !/postgresql|nats-server/.test(String(path)) && existsSync(path);
syncBuiltinESMExports();
