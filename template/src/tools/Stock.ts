import { Policy } from "clerk-mcp-worker"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { OwnSettings } from "../Settings.ts"

/** The client sees the message. */
export class UnknownProduct extends Schema.TaggedError<UnknownProduct>()("UnknownProduct", {
  product: Schema.String
}) {
  override get message(): string {
    return `There is no product "${this.product}".`
  }
}

/** Where the pieces are counted. A test puts another layer in its place. */
export class Warehouse extends Context.Service<
  Warehouse,
  { readonly count: (product: string) => Effect.Effect<number, UnknownProduct> }
>()("my-mcp-server/Warehouse") {
  /** A warehouse of these products and numbers of pieces. */
  static readonly layerOf = (pieces: Readonly<Record<string, number>>) =>
    Layer.succeed(
      Warehouse,
      Warehouse.of({
        count: (product) => {
          const count = pieces[product]
          return count === undefined ? Effect.fail(new UnknownProduct({ product })) : Effect.succeed(count)
        }
      })
    )

  /** Replace it by one that asks your database or API. */
  static readonly layer = this.layerOf({ chair: 12, lamp: 3 })
}

const CheckStock = Tool.make("checkStock", {
  description: "Tell how many pieces of a product are in stock.",
  parameters: Schema.Struct({
    product: Schema.String.check(Schema.isMaxCodePoints(100)).annotate({ description: "The product, such as chair" })
  }),
  success: Schema.Struct({
    count: Schema.Int,
    low: Schema.Boolean.annotate({ description: "Whether it should be ordered again" })
  }),
  failure: UnknownProduct
})
  .annotate(Policy.Required, Policy.scopes("stock:read"))
  .annotate(Tool.Title, "Check the stock")
  .annotate(Tool.Readonly, true)
  .annotate(Tool.Destructive, false)
  .annotate(Tool.Idempotent, true)
  .annotate(Tool.OpenWorld, false)

export const toolkit = Toolkit.make(CheckStock)

export const layer = toolkit.toLayer(
  Effect.gen(function* () {
    const warehouse = yield* Warehouse
    const { LOW_STOCK } = yield* OwnSettings
    return {
      checkStock: ({ product }) => Effect.map(warehouse.count(product), (count) => ({ count, low: count < LOW_STOCK }))
    }
  })
)
