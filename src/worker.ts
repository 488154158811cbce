import { Policy } from "./server/index.ts"
import { make } from "./server/Worker.ts"
import { ImageSettings } from "./tools/ImageGenerator.ts"
import { catalogue } from "./tools/Tools.ts"

const server = make({
  name: "clerk-mcp-worker",
  title: "Clerk MCP Worker",
  version: "0.3.0",
  description: "Sums, images, and what you have connected: the tools of a sample server.",
  instructions: "Tools of a sample server: sums, images, and what the signed-in user has connected.",
  brand: { name: "Clerk MCP Worker", accent: "#2457d6", accentDark: "#8ab0ff" },
  scopes: {
    "images:generate": "Generate images in your name",
    "connections:manage": "Sign out other apps that you have connected to this server"
  },
  appScopes: { "app:read": "Read in the app behind this server what you may read there" },
  settings: [ImageSettings],
  operators: Policy.roles("admin"),
  catalogue
})

export default server

/** The Durable Object class that `wrangler.jsonc` names. */
export class AccountObject extends server.AccountObject {}
