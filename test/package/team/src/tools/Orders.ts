import { NotFound, Policy, PromptTemplate, ResourceTemplate, Settings } from "clerk-mcp-worker"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

const Database = Schema.declare((value: unknown): value is D1Database => Predicate.hasProperty(value, "prepare"))

export class OrderSettings extends Settings.make<OrderSettings>()(
  "acme/OrderSettings",
  Schema.Struct({
    ORDERS_AT_ONCE: Schema.FiniteFromString.annotate({ description: "how many orders are listed at once" }),
    ORDERS_KEY: Schema.RedactedFromValue(Schema.NonEmptyString).annotate({
      description: "the key of this shop's orders"
    }),
    ORDERS: Database.annotate({ description: "the D1 binding of the orders" })
  })
) {}

const Order = Schema.Struct({ id: Schema.String, product: Schema.String, pieces: Schema.Int })
type Order = typeof Order.Type

export class OrdersUnavailable extends Schema.TaggedError<OrdersUnavailable>()("OrdersUnavailable", {
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override readonly message = "The orders cannot be read at the moment."
}

export class Orders extends Context.Service<
  Orders,
  {
    readonly of: (product: string) => Effect.Effect<ReadonlyArray<Order>, OrdersUnavailable>
    /** Fails with `NotFound` for an id that no order of this shop has. */
    readonly byId: (id: string) => Effect.Effect<Order, OrdersUnavailable | NotFound>
  }
>()("acme/Orders") {
  static readonly layer = Layer.effect(
    Orders,
    Effect.gen(function* () {
      const { ORDERS, ORDERS_AT_ONCE, ORDERS_KEY } = yield* OrderSettings
      const rows = (condition: string, ...values: ReadonlyArray<string>) =>
        Effect.tryPromise({
          try: () =>
            ORDERS.prepare(`SELECT id, product, pieces FROM orders WHERE shop_key = ? AND ${condition} LIMIT ?`)
              .bind(Redacted.value(ORDERS_KEY), ...values, ORDERS_AT_ONCE)
              .all(),
          catch: (cause) => new OrdersUnavailable({ cause })
        }).pipe(
          Effect.flatMap(({ results }) => Schema.decodeUnknownEffect(Schema.Array(Order))(results)),
          Effect.catchTag("SchemaError", (cause) => Effect.fail(new OrdersUnavailable({ cause })))
        )
      return Orders.of({
        of: (product) => rows("product = ?", product),
        byId: (id) =>
          Effect.flatMap(rows("id = ?", id), ([order]) =>
            order === undefined ? Effect.fail(new NotFound({ what: `Order ${id}` })) : Effect.succeed(order)
          )
      })
    })
  )
}

const ListOrders = Tool.make("listOrders", {
  description: "List the orders of a product.",
  parameters: Schema.Struct({ product: Schema.String.annotate({ description: "The product, such as chair" }) }),
  success: Schema.Struct({ orders: Schema.Array(Order) }),
  failure: OrdersUnavailable
})
  .annotate(Policy.Required, Policy.scopes("orders:read"))
  .annotate(Tool.Title, "List orders")
  .annotate(Tool.Readonly, true)
  .annotate(Tool.Destructive, false)
  .annotate(Tool.Idempotent, true)
  .annotate(Tool.OpenWorld, false)

export const toolkit = Toolkit.make(ListOrders)

export const layer = toolkit.toLayer(
  Effect.gen(function* () {
    const orders = yield* Orders
    return { listOrders: ({ product }) => Effect.map(orders.of(product), (found) => ({ orders: found })) }
  })
)

export const order = ResourceTemplate.make({
  uriTemplate: "orders://{id}",
  name: "order",
  title: "An order",
  description: "Product and number of pieces of one order.",
  policy: Policy.scopes("orders:read"),
  parameters: Schema.Struct({ id: Schema.String }),
  schema: Order,
  failure: OrdersUnavailable,
  content: ({ id }) => Effect.flatMap(Orders, (orders) => orders.byId(id))
})

export const summary = PromptTemplate.make({
  name: "orderSummary",
  title: "Sum up orders",
  description: "Ask for a summary of the orders of a product.",
  policy: Policy.scopes("orders:read"),
  arguments: Schema.Struct({ product: Schema.String.annotate({ description: "The product, such as chair" }) }),
  failure: OrdersUnavailable,
  content: Effect.fnUntraced(function* ({ product }) {
    const orders = yield* Orders
    const found = yield* orders.of(product)
    return `Sum up these orders: ${found.map(({ id, pieces }) => `${id} (${pieces})`).join(", ")}`
  })
})
