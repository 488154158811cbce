import { Policy, Settings } from "clerk-mcp-worker"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

/** What is missing or malformed in `wrangler.jsonc` or `.dev.vars` stands on a page, by its name. */
export class StockSettings extends Settings.make<StockSettings>()(
  "my-mcp-server/StockSettings",
  Schema.Struct({
    LOW_STOCK: Schema.FiniteFromString.annotate({ description: "the number of pieces below which stock is low" })
  })
) {}

/** The client sees the message. */
export class UnknownProduct extends Schema.TaggedError<UnknownProduct>()("UnknownProduct", {
  product: Schema.String
}) {
  override get message(): string {
    return `There is no product "${this.product}".`
  }
}

const Pieces = Schema.Struct({
  count: Schema.Int,
  low: Schema.Boolean.annotate({ description: "Whether it should be ordered again" })
})

/** Where the pieces are counted. A test puts another layer in its place. */
export class Warehouse extends Context.Service<
  Warehouse,
  { readonly count: (product: string) => Effect.Effect<typeof Pieces.Type, UnknownProduct> }
>()("my-mcp-server/Warehouse") {
  /** A warehouse with these numbers of pieces, of which fewer than `low` are few. */
  static readonly layerOf = (pieces: Readonly<Record<string, number>>, low: number) =>
    Layer.succeed(
      Warehouse,
      Warehouse.of({
        count: (product) => {
          const count = pieces[product]
          return count === undefined
            ? Effect.fail(new UnknownProduct({ product }))
            : Effect.succeed({ count, low: count < low })
        }
      })
    )

  /** Replace it by one that asks your database or API. */
  static readonly layer = Layer.unwrap(
    Effect.map(StockSettings, ({ LOW_STOCK }) => this.layerOf({ chair: 12, lamp: 3 }, LOW_STOCK))
  )
}

const CheckStock = Tool.make("checkStock", {
  description: "Tell how many pieces of a product are in stock.",
  parameters: Schema.Struct({
    product: Schema.String.check(Schema.isMaxCodePoints(100)).annotate({ description: "The product, such as chair" })
  }),
  success: Pieces,
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
    return { checkStock: ({ product }) => warehouse.count(product) }
  })
)
