import { Offer, ToolCalls } from "clerk-mcp-worker"
import * as Layer from "effect/Layer"

import * as Stock from "./Stock.ts"

/** Everything that clients can use. */
export const catalogue = ToolCalls.layer(Stock.toolkit).pipe(
  Layer.provide(Stock.layer),
  Layer.provide(Stock.Warehouse.layer),
  Layer.merge(Layer.succeed(Offer, { resources: [], templates: [], prompts: [] }))
)
