import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { AppApi, AppApiError, CurrentPrincipal, Policy } from "../../src/server/index.ts"

const NewOrder = Schema.Struct({ item: Schema.String, count: Schema.Int })
const Order = Schema.Struct({ id: Schema.String })

class SoldOut extends Schema.TaggedError<SoldOut>()("SoldOut", {}) {
  override readonly message = "This is sold out."
}

const PlaceOrder = Tool.make("placeOrder", {
  description: "Order something in the shop.",
  parameters: NewOrder,
  success: Order,
  failure: Schema.Union([SoldOut, AppApiError]),
  dependencies: [CurrentPrincipal]
}).annotate(Policy.Required, Policy.scopes("app:write"))

export const toolkit = Toolkit.make(PlaceOrder)

export const layer = toolkit.toLayer(
  Effect.map(AppApi, (app) => ({
    placeOrder: (order) =>
      app
        .post("/api/orders", { body: AppApi.json(NewOrder, order), answer: Order })
        .pipe(
          Effect.catchReason("AppApiError", "AppRefused", ({ problem }, error) =>
            Effect.fail(problem?.type === "https://shop.example/sold-out" ? new SoldOut() : error)
          )
        )
  }))
)
