import { apiError, mcpApi } from "mcp-app-kit/api"
import type { Settings } from "mcp-app-kit/settings"

interface Shop {
  /** Keeps the order and the user's key in one transaction; for a key that is kept, it answers the order of then. */
  readonly place: (userId: string, key: string, order: unknown) => Promise<{ id: string } | "sold out">
}

export const placeOrderRoute = (settings: Settings, shop: Shop) => {
  const callerOf = mcpApi(settings)
  return async (request: Request): Promise<Response> => {
    const caller = await callerOf(request)
    if (caller instanceof Response) return caller
    const key = request.headers.get("idempotency-key")
    if (key === null) return apiError(400, "invalid_request", "An Idempotency-Key is required.")
    const placed = await shop.place(caller.userId, key, await request.json())
    if (placed !== "sold out") return Response.json(placed, { status: 201 })
    const problem = { type: "https://shop.example/sold-out", title: "Sold out", status: 409 }
    return Response.json(problem, { status: 409, headers: { "content-type": "application/problem+json" } })
  }
}
