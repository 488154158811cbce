import { mcpApi } from "mcp-app-kit/api"
import { clerkClient, sessionReader } from "mcp-app-kit/session"
import { readSettings } from "mcp-app-kit/settings"
import { mcpSignIn } from "mcp-app-kit/sign-in"
import process from "node:process"

/** Read once, when the server starts: it does not start without them. */
export const settings = readSettings(process.env)

export const clerk = clerkClient(settings)
export const sessionOf = sessionReader(settings)
export const signInForMcp = mcpSignIn(settings)
export const callerOf = mcpApi(settings)
