import { assert, layer } from "@effect/vitest"
import { NotFound } from "clerk-mcp-worker"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import * as Orders from "../src/tools/Orders.ts"

const chair = { id: "o1", product: "chair", pieces: 4 }

const orders = Layer.succeed(Orders.Orders, {
  of: (product) => Effect.succeed(product === "chair" ? [chair] : []),
  byId: (id) => (id === "o1" ? Effect.succeed(chair) : Effect.fail(new NotFound({ what: `Order ${id}` })))
})

layer(orders)("orders", (it) => {
  it.effect("are resources, and those that are not there are not found", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(JSON.parse(yield* Orders.order.read({ id: "o1" })), chair)
      const error = yield* Effect.flip(Orders.order.read({ id: "o2" }))
      assert.strictEqual(error._tag, "NotFound")
    })
  )

  it.effect("stand in the prompt", () =>
    Effect.gen(function* () {
      assert.include(yield* Orders.summary.content({ product: "chair" }), "o1 (4)")
    })
  )
})
