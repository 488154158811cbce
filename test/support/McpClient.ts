import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"

import type { Handler } from "./Visitor.ts"

/** The official MCP client (2026-07-28), connected straight to a handler; no socket in between, and no session. */
export const connect = async (handler: Handler, token: string): Promise<Client> => {
  const url = new URL("https://mcp.example.com/mcp")
  const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode: { pin: "2026-07-28" } } })
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
