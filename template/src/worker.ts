import { Catalogue, Policy } from "clerk-mcp-worker"
import { make } from "clerk-mcp-worker/worker"
import * as Layer from "effect/Layer"

import * as Stock from "./tools/Stock.ts"

const server = make({
  name: "my-mcp-server",
  title: "My MCP Server",
  version: "0.1.0",
  // On the first page, and for clients. `instructions` beside it are for models.
  description: "What is in stock.",
  // On the pages that people meet. Colour, logo and `support`, where people get help, go here, too.
  brand: { name: "My MCP Server" },
  // Each with the sentence that the consent page shows.
  scopes: { "stock:read": "See what is in stock" },
  // Who may look at the connections of others at /account, and end them, by the role of the account.
  operators: Policy.roles("admin"),
  settings: [Stock.StockSettings],
  // What clients can use. A new family of tools is one more line; so is a resource or a prompt.
  catalogue: Catalogue.layer(Catalogue.tools(Stock.toolkit, Stock.layer)).pipe(Layer.provide(Stock.Warehouse.layer))
})

export default server

/** The Durable Object class that `wrangler.jsonc` names. */
export class AccountObject extends server.AccountObject {}
