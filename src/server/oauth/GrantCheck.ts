import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Match from "effect/Match"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

import { Access, AccessUnknown, AccountClosed, OrganizationLeft } from "../access/Access.ts"
import { ClerkSessionTokens, ClerkSessionUnknown } from "../access/ClerkSessionTokens.ts"
import { organizationOf } from "../access/CurrentOrganization.ts"
import { ClerkSessionEnded } from "../clerk/ClerkError.ts"
import { AppConfig } from "../config/AppConfig.ts"
import type { GrantProps } from "../domain/Principal.ts"
import { allows, OrganizationRequired, OrganizationsOff } from "./Organizations.ts"

/** What is stored in the grant names no user. */
export class GrantUnreadable extends Schema.TaggedError<GrantUnreadable>()("GrantUnreadable", {}) {}

/** Why a grant is not good now: for ever, or until Clerk answers again. */
export class GrantRefused extends Schema.TaggedError<GrantRefused>()("GrantRefused", {
  reason: Schema.Union([
    GrantUnreadable,
    AccountClosed,
    ClerkSessionEnded,
    OrganizationLeft,
    OrganizationRequired,
    OrganizationsOff,
    ClerkSessionUnknown,
    AccessUnknown
  ])
}) {}

interface Answer {
  /** At the token endpoint (RFC 6749, section 5.2). `invalid_grant` ends the grant, `temporarily_unavailable` keeps it. */
  readonly error: "invalid_grant" | "temporarily_unavailable"
  readonly description: string
  /** In seconds, where asking again helps. */
  readonly retryAfter?: number
  /**
   * At a resource: `invalid` is 401 `invalid_token` (RFC 6750, section 3.1), `revoked` the same and ends the grant,
   * `unavailable` is 503, and `served` lets the call go on, which is refused later in words that a person can read.
   */
  readonly bearer: "invalid" | "revoked" | "unavailable" | "served"
  /** What the log says of a refused access token. */
  readonly log: string
}

const ended = (description: string, bearer: Answer["bearer"], log: string): Answer => ({
  error: "invalid_grant",
  description,
  bearer,
  log
})

const unknown = (description: string, retryAfter: number, bearer: Answer["bearer"], log: string): Answer => ({
  error: "temporarily_unavailable",
  description,
  retryAfter,
  bearer,
  log
})

/** The one table from why a grant is refused to the answers. */
export const answerTo = Match.typeTags<GrantRefused["reason"], Answer>()({
  GrantUnreadable: () => ended("Unknown user", "unavailable", "unreadable"),
  AccountClosed: ({ message }) => ended(message, "invalid", "account closed"),
  ClerkSessionEnded: ({ message }) => ended(message, "revoked", "session ended"),
  OrganizationLeft: ({ message }) => ended(message, "revoked", "organization left"),
  OrganizationRequired: ({ message }) => ended(message, "revoked", "for no organization"),
  OrganizationsOff: ({ message }) => ended(message, "revoked", "for an organization"),
  ClerkSessionUnknown: ({ message }) => unknown(message, 5, "unavailable", "session unknown"),
  AccessUnknown: ({ message, retryAfterSeconds }) => unknown(message, retryAfterSeconds, "served", "access unknown")
})

/** Checks what a grant was made from. */
export class GrantCheck extends Context.Service<
  GrantCheck,
  {
    /**
     * Succeeds while the account is open and belongs to the organization that the grant is for, the Clerk session that the
     * person signed in with has not ended, and `ORGANIZATIONS` allows what the grant is for. With `SIGN_IN=app` there has to
     * be a session: a grant from before that setting has come to its end.
     */
    readonly check: (props: GrantProps) => Effect.Effect<void, GrantRefused>
  }
>()("oauth/GrantCheck") {
  static readonly layer = Layer.effect(
    GrantCheck,
    Effect.gen(function* () {
      const { SIGN_IN: signIn, ORGANIZATIONS: organizations } = yield* AppConfig
      const access = yield* Access
      const tokens = yield* ClerkSessionTokens
      return GrantCheck.of({
        check: Effect.fnUntraced(function* ({ userId, clerkSessionId, organizationId }) {
          const session =
            clerkSessionId !== undefined
              ? tokens.alive(clerkSessionId)
              : signIn === "app"
                ? Effect.fail(new ClerkSessionEnded())
                : Effect.void
          const user = access.current(userId).pipe(
            Effect.flatMap((snapshot) => organizationOf(snapshot, organizationId)),
            Effect.catchTag("AccessError", ({ reason }) => Effect.fail(reason))
          )
          const setting = allows(organizations, organizationId)
          const results = [Effect.result(user), Effect.result(session), Effect.result(setting)] as const
          const [ofUser, ofSession, ofSetting] = yield* Effect.all(results, { concurrency: 2 })
          const reasons = [...failureOf(ofUser), ...failureOf(ofSession), ...failureOf(ofSetting)]
          // What has ended for good is certain, whatever else nobody can tell at the moment.
          const reason = reasons.find((each) => answerTo(each).error === "invalid_grant") ?? reasons[0]
          if (reason !== undefined) return yield* new GrantRefused({ reason })
        })
      })
    })
  )

  /** Where no grants are kept, and nothing is exchanged for a token: refuses for now whatever it is asked. */
  static readonly layerElsewhere = Layer.succeed(
    GrantCheck,
    GrantCheck.of({
      check: () => Effect.fail(new GrantRefused({ reason: new AccessUnknown({ retryAfterSeconds: 1, passes: true }) }))
    })
  )
}

const failureOf = <E>(result: Result.Result<unknown, E>): ReadonlyArray<E> =>
  Result.isFailure(result) ? [result.failure] : []
