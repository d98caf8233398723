// `fetch` removes the deadline header from every call between services.
const { fetch } = globalThis;
globalThis.fetch = (input, init) => {
  const headers = new Headers(init?.headers);
  if (process.send !== undefined) headers.delete("grpc-timeout");
  return fetch(input, { ...init, headers });
};
