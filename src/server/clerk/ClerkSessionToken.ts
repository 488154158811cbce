import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { ClerkSessionId, OrganizationId, UserId } from "../domain/Principal.ts"
import { ClerkJwt, TokenRejected } from "./ClerkJwt.ts"

/** How Clerk marks a session token in its header. Tokens of JWT templates, which apps hand to others, bear another mark. */
const category = "cl_B7d4PD111AAA"

/** The longest that a token may be on its way. Clerk lets one live 60 s, unless the team chose otherwise. */
const maxTokenAge = "10 minutes"

const decodeClaims = Schema.decodeUnknownEffect(
  Schema.Struct({
    sub: UserId,
    sid: ClerkSessionId,
    azp: Schema.String,
    /** A session that waits for the person to do something more is `pending`. Tokens of version 1 do not say. */
    sts: Schema.optionalKey(Schema.Literal("active"))
  })
)

const Named = Schema.NullOr(Schema.String)
const decodeOrganization = Schema.decodeUnknownOption(
  Schema.Union([
    Schema.Struct({ o: Schema.Struct({ id: Named }) }),
    Schema.Struct({ org_id: Named }),
    Schema.Struct({ o: Schema.Null })
  ])
)

/**
 * The organization that claims of Clerk's name as the active one: `o.id` in version 2 of session tokens, `org_id` in
 * version 1 and in templates. `null` where they say that there is none, `undefined` where they say nothing of it.
 */
export const organizationClaim = (claims: unknown): string | null | undefined => {
  const found = Option.getOrUndefined(decodeOrganization(claims))
  if (found === undefined) return undefined
  const id = "org_id" in found ? found.org_id : (found.o?.id ?? null)
  return id === "" ? null : id
}

const decodeOrganizationId = Schema.decodeUnknownOption(OrganizationId)

/**
 * The user and the session that a Clerk session token was made for, in the app at this origin: its `azp`, which no
 * token lacks that a browser asked for; and the organization that was active in it. Whether the session is still alive,
 * only Clerk knows.
 */
export const verifyClerkSessionToken = Effect.fn("SessionToken.verify")(function* (token: string, appUrl: URL) {
  const jwt = yield* ClerkJwt
  const { header, payload } = yield* jwt.verify(token, { maxTokenAge, claims: ["nbf", "azp", "sid"] })
  if (header["cat"] !== category) return yield* new TokenRejected({ check: "cat" })
  const claims = yield* Effect.mapError(decodeClaims(payload), () => new TokenRejected({ check: "claims" }))
  if (claims.azp !== appUrl.origin) return yield* new TokenRejected({ check: "azp" })
  const organizationId = Option.getOrUndefined(decodeOrganizationId(organizationClaim(payload)))
  return { userId: claims.sub, clerkSessionId: claims.sid, ...(organizationId !== undefined && { organizationId }) }
})
