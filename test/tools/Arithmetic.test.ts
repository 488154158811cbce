import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { callTool } from "../../src/server/testing/index.ts"
import * as Arithmetic from "../../src/tools/Arithmetic.ts"

const call = callTool(Arithmetic.toolkit, Arithmetic.layer)
const add = (a: number, b: number) => call("add", { a, b })

describe("add", () => {
  it.effect.prop("adds, whatever the order", [Schema.Finite, Schema.Finite], ([a, b]) =>
    Effect.gen(function* () {
      const [there, back] = [yield* Effect.exit(add(a, b)), yield* Effect.exit(add(b, a))]
      assert.deepStrictEqual(there, back)
      if (Number.isFinite(a + b)) assert.deepStrictEqual(yield* add(a, b), { sum: a + b })
    })
  )

  it.effect("says so when the sum is no number any more", () =>
    Effect.gen(function* () {
      for (const sign of [1, -1]) {
        const error = yield* Effect.flip(add(sign * Number.MAX_VALUE, sign * Number.MAX_VALUE))
        assert.strictEqual(error._tag, "SumTooLarge")
      }
      assert.deepStrictEqual(yield* add(Number.MAX_VALUE, -Number.MAX_VALUE), { sum: 0 })
    })
  )
})
