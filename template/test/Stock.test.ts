import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

import * as Stock from "../src/tools/Stock.ts"

const tools = Stock.layer.pipe(Layer.provide(Stock.Warehouse.layerOf({ table: 1, stool: 40 }, 10)))

const checkStock = (product: string) =>
  Effect.gen(function* () {
    const toolkit = yield* Stock.toolkit
    const [answer] = yield* Stream.runCollect(yield* toolkit.handle("checkStock", { product }))
    return answer?.result
  })

layer(tools)("checkStock", (it) => {
  it.effect("counts, and says what has to be ordered", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* checkStock("table"), { count: 1, low: true })
      assert.deepStrictEqual(yield* checkStock("stool"), { count: 40, low: false })
    })
  )

  it.effect("names a product that is not there", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(checkStock("unicorn"))
      assert.strictEqual(error.message, 'There is no product "unicorn".')
    })
  )
})
