import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { AppApi, AppApiError, CurrentPrincipal, Policy } from "../../src/server/index.ts"

const Orders = Schema.Struct({ orders: Schema.Array(Schema.Struct({ id: Schema.String, total: Schema.Finite })) })

const MyOrders = Tool.make("myOrders", {
  description: "The user’s own orders in the shop.",
  parameters: Schema.Struct({ year: Schema.Int }),
  success: Orders,
  failure: AppApiError,
  dependencies: [CurrentPrincipal]
}).annotate(Policy.Required, Policy.scopes("app:read"))

export const toolkit = Toolkit.make(MyOrders)

export const layer = toolkit.toLayer(
  Effect.map(AppApi, (app) => ({
    myOrders: ({ year }) => app.get("/api/orders", { year: `${year}` }, Orders)
  }))
)
