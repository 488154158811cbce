import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { callTool } from "../../src/server/testing/index.ts"
import * as Dice from "./Dice.ts"

it.effect("is nobody's who lacks the role", () =>
  Effect.gen(function* () {
    const call = callTool(Dice.toolkit, Dice.layer)
    const refusal = yield* Effect.flip(call("rollDice", { count: 2 }, { as: { role: "member" } }))
    assert.include(refusal.message, "one of: role admin, role premium")
  })
)
