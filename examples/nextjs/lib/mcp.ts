import { home } from "mcp-app-kit/demo/home"
import { signOut } from "mcp-app-kit/demo/sign-out"
import { readSettings } from "mcp-app-kit/settings"
import { mcpSignIn } from "mcp-app-kit/sign-in"
import { userRoutes } from "mcp-app-kit/users"
import process from "node:process"

const make = () => {
  const settings = readSettings(process.env)
  return {
    home: home(settings),
    signOut: signOut(settings),
    signInForMcp: mcpSignIn(settings),
    ...userRoutes(settings)
  }
}

let made: ReturnType<typeof make> | undefined

/** Made when it is first needed, because `next build` loads every route and has no settings. */
export const mcp = () => (made ??= make())
