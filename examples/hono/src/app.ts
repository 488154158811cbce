import { Hono } from "hono"
import { home } from "mcp-app-kit/demo/home"
import { signOut } from "mcp-app-kit/demo/sign-out"
import type { Settings } from "mcp-app-kit/settings"
import { mcpSignIn } from "mcp-app-kit/sign-in"
import { userRoutes } from "mcp-app-kit/users"

/** The application: its own pages, and the three routes for the MCP server. */
export const makeApp = (settings: Settings): Hono => {
  const homePage = home(settings)
  const endSession = signOut(settings)
  const signInForMcp = mcpSignIn(settings)
  const { me, users } = userRoutes(settings)

  return new Hono()
    .get("/", ({ req }) => homePage(req.raw))
    .post("/sign-out", ({ req }) => endSession(req.raw))
    .get("/auth/mcp", ({ req }) => signInForMcp(req.raw))
    .get("/api/me", ({ req }) => me(req.raw))
    .get("/api/users", ({ req }) => users(req.raw))
}
