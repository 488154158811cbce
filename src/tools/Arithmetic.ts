import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { Policy } from "../server/index.ts"

class SumTooLarge extends Schema.TaggedError<SumTooLarge>()("SumTooLarge", {}) {
  override readonly message = "The sum is too large to be represented as a number."
}

const Add = Tool.make("add", {
  description: "Add two numbers.",
  parameters: Schema.Struct({
    a: Schema.Finite.annotate({ description: "The first number" }),
    b: Schema.Finite.annotate({ description: "The second number" })
  }),
  success: Schema.Struct({ sum: Schema.Finite }),
  failure: SumTooLarge
})
  .annotate(Policy.Required, Policy.signedIn)
  .annotate(Tool.Title, "Add two numbers")
  .annotate(Tool.Readonly, true)
  .annotate(Tool.Destructive, false)
  .annotate(Tool.Idempotent, true)
  .annotate(Tool.OpenWorld, false)

export const toolkit = Toolkit.make(Add)

export const layer = toolkit.toLayer({
  add: ({ a, b }) => (Number.isFinite(a + b) ? Effect.succeed({ sum: a + b }) : Effect.fail(new SumTooLarge()))
})
