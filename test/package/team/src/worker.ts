import { Catalogue } from "clerk-mcp-worker"
import { make } from "clerk-mcp-worker/worker"
import * as Layer from "effect/Layer"

import * as Dice from "./tools/Dice.ts"
import * as Orders from "./tools/Orders.ts"
import * as Stock from "./tools/Stock.ts"

const server = make({
  name: "acme",
  title: "Acme",
  version: "0.3.0",
  scopes: { "stock:read": "See what is in stock", "orders:read": "Read the orders" },
  settings: [Stock.StockSettings, Orders.OrderSettings],
  catalogue: Catalogue.layer(
    Catalogue.tools(Stock.toolkit, Stock.layer),
    Catalogue.tools(Dice.toolkit, Dice.layer),
    Catalogue.tools(Orders.toolkit, Orders.layer),
    Orders.order,
    Orders.summary
  ).pipe(Layer.provide([Stock.Warehouse.layer, Orders.Orders.layer]))
})

export default server

/** The Durable Object class that `wrangler.jsonc` names. */
export class AccountObject extends server.AccountObject {}
