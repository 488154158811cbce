import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { NotFound, Policy, PromptTemplate, ResourceTemplate } from "../../src/server/index.ts"

class RatesClosed extends Schema.TaggedError<RatesClosed>()("RatesClosed", { opensAt: Schema.String }) {
  override get message(): string {
    return `Rates are closed until ${this.opensAt}.`
  }
}

export class Rates extends Context.Service<
  Rates,
  {
    /** What one euro buys; `undefined` for a currency that nobody knows. */
    readonly of: (currency: string) => Effect.Effect<number | undefined, RatesClosed>
  }
>()("acme/Rates") {
  static readonly layer = Layer.succeed(Rates, { of: (currency) => Effect.succeed({ USD: 1.1, JPY: 170 }[currency]) })
}

const find = Effect.fnUntraced(function* (currency: string) {
  const rate = yield* (yield* Rates).of(currency)
  return rate ?? (yield* new NotFound({ what: `Currency ${currency}` }))
})

export const rate = ResourceTemplate.make({
  uriTemplate: "rates://{currency}",
  name: "rate",
  title: "Exchange rate",
  description: "What one euro buys.",
  policy: Policy.signedIn,
  parameters: Schema.Struct({ currency: Schema.String }),
  schema: Schema.Struct({ rate: Schema.Finite }),
  failure: RatesClosed,
  content: ({ currency }) => Effect.map(find(currency), (rate) => ({ rate }))
})

export const explainRate = PromptTemplate.make({
  name: "explainRate",
  title: "Explain a rate",
  description: "Explain what one euro buys.",
  policy: Policy.signedIn,
  arguments: Schema.Struct({ currency: Schema.String.annotate({ description: "Such as USD" }) }),
  failure: RatesClosed,
  content: ({ currency }) => Effect.map(find(currency), (rate) => `Explain why one euro buys ${rate} ${currency}.`)
})
