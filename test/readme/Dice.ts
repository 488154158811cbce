import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"

import { Policy } from "../../src/server/index.ts"

const RollDice = Tool.make("rollDice", {
  description: "Roll dice with six sides.",
  parameters: Schema.Struct({
    count: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10 })).annotate({ description: "How many dice" })
  }),
  success: Schema.Struct({ rolls: Schema.Array(Schema.Int) })
})
  .annotate(Policy.Required, Policy.roles("admin", "premium"))
  .annotate(Tool.Readonly, true)
  .annotate(Tool.OpenWorld, false)

export const toolkit = Toolkit.make(RollDice)

export const layer = toolkit.toLayer({
  rollDice: ({ count }) =>
    Effect.map(Effect.replicateEffect(Random.nextIntBetween(1, 6), count), (rolls) => ({ rolls }))
})
