import { verifyToken } from "@clerk/backend"
import { TokenVerificationError } from "@clerk/backend/errors"
import { decodeJwt } from "@clerk/backend/jwt"
import type { Settings } from "./Settings.ts"

/** The user on whose behalf the MCP server calls, as of the moment that Clerk signed the token: two minutes ago at most. */
export interface Caller {
  readonly userId: string
  readonly email: string | null
  readonly role: string | null
}

/** Clerk's mark for tokens of a template; session tokens have another, and an id_token does not have this one. */
const templateCategory = "cl_B7d4PD222AAA"

/** An error as the MCP server reads it. A 401 says so in its header as well (RFC 6750, section 3). */
export const apiError = (status: number, error: string, message: string): Response =>
  Response.json(
    { error, message },
    {
      status,
      headers: {
        "cache-control": "no-store",
        ...(status === 401 && { "www-authenticate": `Bearer error="${error}"` })
      }
    }
  )

/**
 * The oldest token that counts, in milliseconds, however long the template lets tokens live: what it says of the role,
 * and that there was a session, was true then. The MCP server brings a new one when it is told 401.
 */
const oldestToken = 120_000

/** The MCP server tells people nothing of the answer, so the reason stands in this app's log as well. */
const invalid = (message: string): Response => {
  console.warn(`A token of the MCP server was refused: ${message}`)
  return apiError(401, "invalid_token", message)
}

const bearerOf = (request: Request): string | undefined =>
  /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(request.headers.get("authorization") ?? "")?.[1]

const textOrNull = (claim: unknown): string | null => (typeof claim === "string" && claim !== "" ? claim : null)

/** Clerk's keys could not be had, which says nothing about the token. */
const isOutage = (cause: unknown): boolean =>
  !(cause instanceof TokenVerificationError) ||
  ["jwk-remote-failed-to-load", "jwk-remote-invalid", "jwk-remote-missing", "secret-key-invalid"].includes(cause.reason)

/**
 * Verifies the bearer token of an API request: a token of the JWT template `mcp-server`, for this application and by
 * this Clerk instance. Answers its user, or the response that refuses.
 *
 * `verifyToken` checks the signature, the issuer and the times. It accepts every kind of token that the instance signs,
 * and does not miss an absent `aud`: the rest is checked here. Tokens that the MCP server gets from Clerk's Backend API
 * have no `azp`, so only a wrong one is refused.
 */
export const mcpApi = (settings: Settings): ((request: Request) => Promise<Caller | Response>) => {
  const { origin } = new URL(settings.appUrl)
  const options = {
    secretKey: settings.secretKey,
    issuer: [...settings.issuers],
    ...(settings.apiUrl !== undefined && { apiUrl: settings.apiUrl })
  }

  return async (request) => {
    const token = bearerOf(request)
    if (token === undefined) return apiError(401, "invalid_token", "A bearer token is required.")
    try {
      const claims = await verifyToken(token, options)
      const category: unknown = decodeJwt(token).header.cat
      if (category !== templateCategory || Object.hasOwn(claims, "sid")) {
        return invalid("Only tokens of a JWT template are accepted.")
      }
      if (claims.iat * 1_000 < Date.now() - oldestToken) return invalid("The token is too old.")
      if (claims["aud"] !== settings.appUrl) return invalid("The token is for another audience.")
      if (claims.azp !== undefined && claims.azp !== origin)
        return invalid("The token was made for another application.")
      if (!("email" in claims) || !("role" in claims)) return invalid("The token lacks claims of the template.")
      return { userId: claims.sub, email: textOrNull(claims["email"]), role: textOrNull(claims["role"]) }
    } catch (cause) {
      if (isOutage(cause)) return apiError(503, "unavailable", "Clerk cannot be reached.")
      return invalid("The token is expired, or not one of this Clerk instance.")
    }
  }
}
