import { Settings } from "clerk-mcp-worker"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

const Database = Schema.declare((value: unknown): value is D1Database => Predicate.hasProperty(value, "prepare"))

const schema = Schema.Struct({
  LOW_STOCK: Schema.FiniteFromString.annotate({ description: "the number of pieces below which stock is low" }),
  ORDERS_AT_ONCE: Schema.FiniteFromString.annotate({ description: "how many orders are listed at once" }),
  ORDERS_KEY: Schema.RedactedFromValue(Schema.NonEmptyString).annotate({
    description: "the key of this shop's orders"
  }),
  ORDERS: Database.annotate({ description: "the D1 binding of the orders" })
})

export class OwnSettings extends Settings.make<OwnSettings>()("acme/OwnSettings", schema) {}
