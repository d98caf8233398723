import { randomUUID } from "node:crypto";

import { current } from "@throughline/context";
import { errorHandler, requestContext } from "@throughline/express";
import express from "express";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

import { start } from "../service.ts";
import { verify } from "../token.ts";
import { TRUST_DOMAIN } from "../trust-domain.ts";

// Exchanges a visitor's token for one that is good between the services: a small Txn-Token service, with a key that it makes when it starts.
const { publicKey, privateKey } = await generateKeyPair("ES256");
const key = { ...(await exportJWK(publicKey)), kid: "1", alg: "ES256" };

const app = express();
app.use(requestContext({ maxTimeout: "5s" }), express.urlencoded());
app.get("/keys", (_req, res) => void res.json({ keys: [key] }));
app.post("/token", async (req, res) => {
  const { subject_token: token, scope } = req.body as Record<string, string>;
  const { subject, scopes } = await verify(token ?? "", current());
  // Never more than the visitor's own token allows.
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
