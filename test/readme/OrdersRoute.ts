import { apiError, mcpApi } from "mcp-app-kit/api"
import type { Settings } from "mcp-app-kit/settings"

interface Shop {
  readonly orders: (userId: string, year: string) => Promise<ReadonlyArray<{ id: string; total: number }>>
}

export const ordersRoute = (settings: Settings, shop: Shop) => {
  const callerOf = mcpApi(settings)
  return async (request: Request): Promise<Response> => {
    const caller = await callerOf(request)
    if (caller instanceof Response) return caller
    const year = new URL(request.url).searchParams.get("year")
    if (year === null) return apiError(400, "invalid_request", "Name a year.")
    return Response.json({ orders: await shop.orders(caller.userId, year) })
  }
}
