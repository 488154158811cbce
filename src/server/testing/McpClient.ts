import { Client, type ElicitResult, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"

import type { Handler } from "./Visitor.ts"

export interface ClientOptions {
  /** What the person does with a form. Without it the client declares that it cannot be asked. */
  readonly onElicitation?: (form: { readonly message: string }) => ElicitResult
}

/**
 * The official MCP client (2026-07-28), connected straight to a handler: no socket in between, and no session. `url` is
 * where the server's settings say that clients connect.
 */
export const connect = async (
  handler: Handler,
  token: string,
  { onElicitation }: ClientOptions = {},
  url = new URL("https://mcp.example.com/mcp")
): Promise<Client> => {
  const client = new Client(
    { name: "test", version: "1" },
    {
      versionNegotiation: { mode: { pin: "2026-07-28" } },
      ...(onElicitation !== undefined && { capabilities: { elicitation: { form: {} } } })
    }
  )
  if (onElicitation !== undefined) {
    client.setRequestHandler("elicitation/create", ({ params }) => onElicitation(params))
  }
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
