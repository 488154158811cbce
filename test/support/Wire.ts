/** What came back for one message. */
export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly result: Readonly<Record<string, unknown>> | undefined
  readonly error: { readonly code: number; readonly message: string; readonly data?: unknown } | undefined
  /** What was told on the stream before the answer. */
  readonly notifications: ReadonlyArray<{ readonly method: string; readonly params: Record<string, unknown> }>
}

export interface Call {
  /** Headers that are sent beside the usual ones or instead of them; `undefined` leaves one out. */
  readonly headers?: Readonly<Record<string, string | undefined>>
  /** Instead of the usual `_meta`. */
  readonly meta?: Readonly<Record<string, unknown>>
  readonly signal?: AbortSignal
}

type Message = Partial<Reply> & { readonly method?: string; readonly params?: Record<string, unknown> }

const messagesOf = (text: string, contentType: string): ReadonlyArray<Message> => {
  if (contentType.startsWith("application/json")) return [JSON.parse(text) as Message]
  if (!contentType.startsWith("text/event-stream")) return []
  return text
    .split("\n")
    .filter((line) => line.startsWith("data: ") && line.length > 6)
    .map((line) => JSON.parse(line.slice(6)) as Message)
}

/** Posts a message as an object, or any text. */
export const post = async (
  address: string,
  token: string,
  body: unknown,
  { headers = {}, signal }: Call = {}
): Promise<Reply> => {
  const sent = new Headers({
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream"
  })
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) sent.delete(name)
    else sent.set(name, value)
  }
  const response = await fetch(address, {
    method: "POST",
    headers: sent,
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...(signal && { signal })
  })
  const text = await response.text()
  const messages = messagesOf(text, response.headers.get("content-type") ?? "")
  const answer = messages.find(({ method }) => method === undefined)
  return {
    status: response.status,
    headers: response.headers,
    text,
    result: answer?.result,
    error: answer?.error,
    notifications: messages.flatMap(({ method, params = {} }) => (method === undefined ? [] : [{ method, params }]))
  }
}

const nameOf = (params: Readonly<Record<string, unknown>>): string | undefined => {
  const name = params["name"] ?? params["uri"]
  return typeof name === "string" ? name : undefined
}

/** A message of 2026-07-28 as it stands on the wire: version, method and name in headers, and the `_meta` of the client. */
export const modern = (
  address: string,
  token: string,
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  call: Call = {}
): Promise<Reply> => {
  const meta = call.meta ?? {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "wire", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": {}
  }
  const body = { jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: meta } }
  const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": method, "mcp-name": nameOf(params) }
  return post(address, token, body, { ...call, headers: { ...headers, ...call.headers } })
}

/** A message of a 2025-era client without a session. */
export const legacy = (
  address: string,
  token: string,
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  call: Call = {}
): Promise<Reply> => post(address, token, { jsonrpc: "2.0", id: 1, method, params }, call)

/** The parameters of a challenge (RFC 9110, section 11.6.1). */
export const challengeOf = (headers: Headers): Readonly<Record<string, string>> =>
  Object.fromEntries(
    [...(headers.get("www-authenticate") ?? "").matchAll(/(\w+)="([^"]*)"/gu)].map(([, name = "", value = ""]) => [
      name,
      value
    ])
  )
