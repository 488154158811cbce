import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { AccessRefresh } from "../access/Access.ts"
import { ClerkApi } from "../clerk/ClerkApi.ts"
import type { ClerkSessionId, GrantId, OrganizationId, UserId } from "../domain/Principal.ts"
import { Grants } from "../oauth/Grants.ts"
import type { Grant } from "../oauth/UserAuthorities.ts"

/** Clerk, or the store of the grants, does not answer. It may again after `retryAfterSeconds`. */
export class FactsUnavailable extends Schema.TaggedError<FactsUnavailable>()("FactsUnavailable", {
  from: Schema.String,
  retryAfterSeconds: Schema.Int
}) {}

/** The user's organizations; undefined where this look did not tell them, as of a closed account. */
export type Memberships = ReadonlySet<OrganizationId> | undefined

/** What the webhooks of a user make the user's object look at, and end. */
export class ClerkFacts extends Context.Service<
  ClerkFacts,
  {
    /** Looks at Clerk, however new the last answer is. What is new is published by who looks. */
    readonly refresh: (userId: UserId) => Effect.Effect<Memberships, FactsUnavailable>
    /** Whether Clerk says that the session has ended. */
    readonly hasEnded: (id: ClerkSessionId) => Effect.Effect<boolean, FactsUnavailable>
    readonly grants: (userId: UserId) => Effect.Effect<ReadonlyArray<Grant>, FactsUnavailable>
    readonly end: (userId: UserId, grantId: GrantId) => Effect.Effect<void, FactsUnavailable>
  }
>()("account/ClerkFacts") {
  static readonly layer = Layer.effect(
    ClerkFacts,
    Effect.gen(function* () {
      const { refresh } = yield* AccessRefresh
      const { sessionUser } = yield* ClerkApi
      const grants = yield* Grants
      const unstored = () => new FactsUnavailable({ from: "OAuthStorage", retryAfterSeconds: 5 })

      return ClerkFacts.of({
        refresh: (userId) =>
          refresh(userId).pipe(
            Effect.map(({ memberships }): Memberships =>
              memberships === null ? undefined : new Set(memberships.map(({ id }) => id))
            ),
            Effect.catchTag("AccessError", ({ reason }) =>
              reason._tag === "AccessUnknown"
                ? Effect.fail(new FactsUnavailable({ from: "Clerk", retryAfterSeconds: reason.retryAfterSeconds }))
                : Effect.undefined
            )
          ),
        hasEnded: (id) =>
          sessionUser(id).pipe(
            Effect.as(false),
            Effect.catchTag("ClerkError", ({ reason }) => {
              if (reason._tag === "ClerkSessionEnded") return Effect.succeed(true)
              // It is there, and asking again would be answered the same.
              if (reason._tag === "ClerkUnexpected") return Effect.succeed(false)
              const retryAfterSeconds = reason._tag === "ClerkUnavailable" ? (reason.retryAfter ?? 5) : 5
              return Effect.fail(new FactsUnavailable({ from: "Clerk", retryAfterSeconds }))
            })
          ),
        grants: (userId) => Effect.mapError(grants.list(userId), unstored),
        end: (userId, grantId) => Effect.mapError(grants.end(userId, grantId), unstored)
      })
    })
  )
}
