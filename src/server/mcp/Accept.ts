const json = "application/json"
const events = "text/event-stream"

/** Whether a client's `Accept` allows a media type (RFC 9110, section 12.5.1); without the header everything is allowed. */
export const takes = ({ headers }: Request, mediaType: string): boolean => {
  const [type = ""] = mediaType.split("/")
  const ranges = (headers.get("accept") ?? "*/*").split(",").map((range) => range.split(";")[0]?.trim().toLowerCase())
  return ranges.some((range) => range === "*/*" || range === `${type}/*` || range === mediaType)
}

/** The result or the error in a stream of events, each with one message in one line of data (HTML, event streams). */
const answers = (stream: string): ReadonlyArray<string> =>
  stream
    .split(/\r?\n/u)
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice("data:".length).trim())
    .filter((data) => {
      if (data === "") return false
      const message: unknown = JSON.parse(data)
      return typeof message === "object" && message !== null && ("result" in message || "error" in message)
    })

/** Whether a client takes an answer in any of the forms that one may have (MCP, Streamable HTTP). */
export const takesAnswers = (request: Request): boolean => takes(request, json) || takes(request, events)

/**
 * The response in a form that the client accepts: for clients that accept JSON only, one JSON body without the
 * notifications of the stream.
 */
export const fitted = async (request: Request, response: Response): Promise<Response> => {
  const streams = response.headers.get("content-type")?.startsWith(events) === true
  if (!streams || takes(request, events)) return response
  const found = answers(await response.text())
  // The requests were cancelled before they were answered, so the client waits for nothing.
  if (found.length === 0) return new Response(null, { status: 202 })
  const headers = new Headers(response.headers)
  headers.set("content-type", json)
  for (const name of ["content-length", "x-accel-buffering", "connection"]) headers.delete(name)
  // Several answers are those of a batch (MCP 2025-03-26).
  const body = found.length === 1 ? found[0] : `[${found.join(",")}]`
  return new Response(body, { status: response.status, headers })
}

/**
 * Serves POST requests of clients that do not list both media types, as the protocol asks them to (MCP, Streamable HTTP):
 * those that list none or wildcards may get a stream, those that take JSON only get JSON. A subscription is nothing but
 * a stream and is left as it is.
 */
export const lenient = async (request: Request, serve: (request: Request) => Promise<Response>): Promise<Response> => {
  const accept = request.headers.get("accept")
  const strict = accept?.includes(json) === true && accept.includes(events)
  const subscribes = request.headers.get("mcp-method") === "subscriptions/listen"
  if (request.method !== "POST" || strict || subscribes || !takesAnswers(request)) return serve(request)
  return fitted(request, await serve(listingBoth(request)))
}

/** A body that was read before cannot be handed on, and is not needed again. */
const listingBoth = (request: Request): Request => {
  const headers = new Headers(request.headers)
  headers.set("accept", `${json}, ${events}`)
  return request.bodyUsed
    ? new Request(request.url, { method: request.method, headers, signal: request.signal })
    : new Request(request, { headers })
}
