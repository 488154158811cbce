import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { ClerkSessionId, UserId } from "../domain/Principal.ts"
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

/**
 * The user and the session that a Clerk session token was made for, in the app at this origin: its `azp`, which no
 * token lacks that a browser asked for. Whether the session is still alive, only Clerk knows.
 */
export const verifyClerkSessionToken = Effect.fn("SessionToken.verify")(function* (token: string, appUrl: URL) {
  const jwt = yield* ClerkJwt
  const { header, payload } = yield* jwt.verify(token, { maxTokenAge, claims: ["nbf", "azp", "sid"] })
  if (header["cat"] !== category) return yield* new TokenRejected({ check: "cat" })
  const claims = yield* Effect.mapError(decodeClaims(payload), () => new TokenRejected({ check: "claims" }))
  if (claims.azp !== appUrl.origin) return yield* new TokenRejected({ check: "azp" })
  return { userId: claims.sub, clerkSessionId: claims.sid }
})
