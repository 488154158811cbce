import { Settings } from "clerk-mcp-worker"
import * as Schema from "effect/Schema"

const schema = Schema.Struct({
  LOW_STOCK: Schema.FiniteFromString.annotate({ description: "the number of pieces below which stock is low" })
})

/** Settings, secrets and bindings of this server's own. What is missing or malformed stands on a page, by its name. */
export class OwnSettings extends Settings.make<OwnSettings>()("my-mcp-server/OwnSettings", schema) {}
