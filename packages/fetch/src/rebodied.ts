/** The response with another body, and all else as it was: one made by hand has no address, and only the usual statuses. */
export function rebodied(original: Response, body: ReadableStream | null): Response {
  const { status, statusText, headers, ok, url, redirected, type } = original;
  const response = new Response(body, { headers });
  const properties = {
    status,
    statusText,
    ok,
    url,
    redirected,
    type,
    clone: () => rebodied(response, cloneBody(response)),
  };
  return Object.defineProperties(
    response,
    Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, { value, configurable: true }])),
  );
}

function cloneBody(response: Response): ReadableStream | null {
  return Response.prototype.clone.call(response).body;
}
