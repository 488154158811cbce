/** Whether a client takes a media type, by its `Accept` (RFC 9110, section 12.5.1); one that says nothing takes all. */
const takes = (accept: string | null, mediaType: string): boolean => {
  const [type = ""] = mediaType.split("/")
  const ranges = (accept ?? "*/*").split(",").map((range) => range.split(";")[0]?.trim().toLowerCase())
  return ranges.some((range) => range === "*/*" || range === `${type}/*` || range === mediaType)
}

/** The result or the error in a stream of events, each with one message in one line of data (HTML, event streams). */
const answers = (events: string): ReadonlyArray<string> =>
  events
    .split(/\r?\n/u)
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice("data:".length).trim())
    .filter((data) => {
      if (data === "") return false
      const message: unknown = JSON.parse(data)
      return typeof message === "object" && message !== null && ("result" in message || "error" in message)
    })

/**
 * Serves POST requests of clients that do not list both media types, as the protocol asks them to (MCP, Streamable HTTP):
 * those that list none or wildcards may get a stream, those that take JSON only get the answer as one JSON body, without
 * what the server would have told them along the way. A subscription is nothing but a stream and is left as it is.
 */
export const lenient = async (request: Request, serve: (request: Request) => Promise<Response>): Promise<Response> => {
  const accept = request.headers.get("accept")
  const strict = accept?.includes("application/json") === true && accept.includes("text/event-stream")
  const subscribes = request.headers.get("mcp-method") === "subscriptions/listen"
  if (request.method !== "POST" || strict || subscribes) return serve(request)
  if (!takes(accept, "application/json") && !takes(accept, "text/event-stream")) return serve(request)

  const headers = new Headers(request.headers)
  headers.set("accept", "application/json, text/event-stream")
  const response = await serve(new Request(request, { headers }))
  const streams = response.headers.get("content-type")?.startsWith("text/event-stream") === true
  if (!streams || takes(accept, "text/event-stream")) return response

  const found = answers(await response.text())
  const kept = new Headers(response.headers)
  kept.set("content-type", "application/json")
  for (const name of ["content-length", "x-accel-buffering", "connection"]) kept.delete(name)
  // Several answers are those of a batch (MCP 2025-03-26).
  return new Response(found.length === 1 ? found[0] : `[${found.join(",")}]`, {
    status: response.status,
    headers: kept
  })
}
