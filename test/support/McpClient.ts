import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"

import type { Handler } from "./Visitor.ts"

/** The official MCP client, connected straight to a handler; no socket in between. */
export const connect = async (
  handler: Handler,
  token: string,
  pin: "2026-07-28" | "legacy" = "2026-07-28"
): Promise<Client> => {
  const url = new URL("https://mcp.example.com/mcp")
  const client = new Client(
    { name: "test", version: "1" },
    { versionNegotiation: { mode: pin === "legacy" ? "legacy" : { pin } } }
  )
  await client.connect(
    new StreamableHTTPClientTransport(url, {
      fetch: (address, init) => {
        const request = new Request(address, init)
        // A Request that never met a socket has no Host of its own.
        request.headers.set("host", url.host)
        return handler(request)
      },
      requestInit: { headers: { authorization: `Bearer ${token}` } }
    })
  )
  return client
}
