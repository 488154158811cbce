import { assert, describe, it } from "@effect/vitest"
import { callTool } from "clerk-mcp-worker/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import * as Stock from "../src/tools/Stock.ts"

const checkStock = callTool(
  Stock.toolkit,
  Layer.provide(Stock.layer, Stock.Warehouse.layerOf({ table: 1, stool: 40 }, 10))
)
const as = { scopes: ["stock:read"] }

describe("checkStock", () => {
  it.effect("counts, and says what has to be ordered", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* checkStock("checkStock", { product: "table" }, { as }), { count: 1, low: true })
      assert.deepStrictEqual(yield* checkStock("checkStock", { product: "stool" }, { as }), { count: 40, low: false })
    })
  )

  it.effect("names a product that is not there", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(checkStock("checkStock", { product: "unicorn" }, { as }))
      assert.strictEqual(error.message, 'There is no product "unicorn".')
    })
  )

  it.effect("is for those who granted the scope", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(checkStock("checkStock", { product: "table" }))
      assert.strictEqual(error._tag, "NotPermitted")
    })
  )
})
