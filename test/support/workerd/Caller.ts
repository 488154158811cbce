import { inject } from "vitest"

import { connect } from "../Connect.ts"
import { Person } from "../Person.ts"
import { places } from "./Places.ts"

/** Origin of the Clerk stand-in. */
const clerkUrl = inject("clerkSettings").CLERK_API_URL

/** Somebody with a browser, at the deployed Worker. */
export const person = (email: string): Person => new Person({ url: places.app, clerk: { url: clerkUrl } }, email)

/** An access token with every scope, for a client of its own. */
export const signIn = (email: string): Promise<string> =>
  connect({ worker: places.app, clerk: clerkUrl, email, scopes: ["paint:use"] })

/** The two ways in which clients speak to `/mcp`. */
export type Era = "2025-11-25" | "2026-07-28"
export const eras: ReadonlyArray<Era> = ["2025-11-25", "2026-07-28"]

/** A `tools/call` as a client of that protocol version posts it. */
export const toolCall = (
  place: string,
  token: string,
  name: string,
  args: Readonly<Record<string, unknown>>,
  { era = "2026-07-28", signal }: { readonly era?: Era; readonly signal?: AbortSignal } = {}
): Promise<Response> => {
  const modern = era === "2026-07-28"
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": era,
    "io.modelcontextprotocol/clientCapabilities": {}
  }
  return fetch(`${place}/mcp`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      "mcp-protocol-version": era,
      ...(modern && { "mcp-method": "tools/call", "mcp-name": name })
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name, arguments: args, ...(modern && { _meta }) }
    }),
    ...(signal && { signal })
  })
}

/** The JSON-RPC answer of a call, whether it came as JSON or as the last event of a stream. */
export const answerOf = async (response: Response): Promise<unknown> => {
  const text = await response.text()
  const events = text.split("\n").filter((line) => line.startsWith("data:"))
  return JSON.parse(events.at(-1)?.slice("data:".length) ?? text)
}

/** A hook of the stand-in, see `dev/clerk/README.md`. */
export const hook = async (name: string, body: unknown): Promise<void> => {
  const response = await fetch(`${clerkUrl}/_stand-in/${name}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body)
  })
  if (!response.ok) throw new Error(await response.text())
}

/** How often Clerk was asked for exactly this path. */
export const timesAsked = async (path: string): Promise<number> => {
  const response = await fetch(`${clerkUrl}/_stand-in/requests`)
  const seen = await response.json<ReadonlyArray<{ readonly path: string; readonly count: number }>>()
  return seen.find((request) => request.path === path)?.count ?? 0
}

/** Waits until `check` holds, 5 s at most. */
export const until = async (check: () => Promise<boolean>): Promise<void> => {
  for (let tries = 0; tries < 100; tries++) {
    if (await check()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error("it did not come to pass within 5 s")
}
