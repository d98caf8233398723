import { randomUUID } from "node:crypto";

import { current } from "@throughline/context";
import { errorHandler, requestContext } from "@throughline/express";
import express from "express";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

import { start } from "../service.ts";
import { verifyToken } from "../token.ts";
import { TRUST_DOMAIN } from "../trust-domain.ts";

// A small Txn-Token service: exchanges a visitor's token for one that is valid between the services. It creates its key
// at startup.
const { publicKey, privateKey } = await generateKeyPair("ES256");
const key = { ...(await exportJWK(publicKey)), kid: "1", alg: "ES256" };

const app = express();
app.use(requestContext({ maxTimeout: "5s" }), express.urlencoded());
app.get("/keys", (_req, res) => void res.json({ keys: [key] }));
app.post("/token", async (req, res) => {
  const { subject_token: token, scope } = req.body as Record<string, string>;
  const { subject, scopes } = await verifyToken(token ?? "", current());
  // Grant only scopes of the visitor's token.
  const granted = (scope ?? "").split(" ").filter((each) => scopes.includes(each));
  const txnToken = await new SignJWT({ scope: granted.join(" "), txn: randomUUID(), req_wl: "gateway" })
    .setProtectedHeader({ alg: "ES256", typ: "txntoken+jwt", kid: key.kid })
    .setSubject(subject)
    .setAudience(TRUST_DOMAIN)
    .setIssuedAt()
    .setExpirationTime("1m")
    .sign(privateKey);
  const type = "urn:ietf:params:oauth:token-type:txn_token";
  res.set("cache-control", "no-store").json({ token_type: "N_A", issued_token_type: type, access_token: txnToken });
});
app.use(errorHandler());

await start("tokens", app);
