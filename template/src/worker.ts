import { make } from "clerk-mcp-worker/worker"

import { OwnSettings } from "./Settings.ts"
import { catalogue } from "./tools/Tools.ts"

const server = make({
  name: "my-mcp-server",
  title: "My MCP Server",
  version: "0.1.0",
  // Each with the sentence that the consent page shows.
  scopes: { "stock:read": "See what is in stock" },
  settings: OwnSettings,
  catalogue
})

export default server

/** The Durable Object class that `wrangler.jsonc` names. */
export class AccountObject extends server.AccountObject {}
