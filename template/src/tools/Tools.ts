import { Catalogue } from "clerk-mcp-worker"
import * as Layer from "effect/Layer"

import * as Stock from "./Stock.ts"

/** Everything that clients can use. A new family of tools is one more file, and one more line here. */
export const catalogue = Catalogue.layer(Catalogue.tools(Stock.toolkit, Stock.layer)).pipe(
  Layer.provide(Stock.Warehouse.layer)
)
