import { signOut } from "mcp-app-kit/demo/sign-out"
import { sessionReader, signInAddress } from "mcp-app-kit/session"
import { readSettings } from "mcp-app-kit/settings"
import { mcpSignIn } from "mcp-app-kit/sign-in"
import { userRoutes } from "mcp-app-kit/users"
import process from "node:process"

/** Read once, when the server starts: it does not start without them. */
const settings = readSettings(process.env)

export const signInForMcp = mcpSignIn(settings)
export const { me, person, users } = userRoutes(settings)

/** For the example's own pages. */
export const sessionOf = sessionReader(settings)
export const signInUrl = signInAddress(settings, `${settings.appUrl}/`)
export const endSession = signOut(settings)
