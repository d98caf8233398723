export const NOW = Math.floor(Date.now() / 1000);

/** Claims of a token that holds, for `jwtVerifier` and for `txnToken`. */
export const GOOD_CLAIMS = {
  iss: "issuer",
  aud: "shop",
  sub: "ada",
  iat: NOW,
  exp: NOW + 3600,
  txn: "1",
  scope: "read",
  req_wl: "gateway",
};
