import type { AuthInfo, ScopeChallenge } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { Access, type AccessError } from "../access/Access.ts"
import { CurrentOrganization, organizationOf } from "../access/CurrentOrganization.ts"
import { CurrentUser } from "../access/CurrentUser.ts"
import * as Policy from "../access/Policy.ts"
import * as UserSnapshot from "../access/UserSnapshot.ts"
import { CurrentPrincipal, Principal } from "../domain/Principal.ts"

/** The caller may not use this. `message` names what is lacking, nothing else. */
export class NotPermitted extends Schema.TaggedError<NotPermitted>()("NotPermitted", {
  lacking: Schema.Literals(["role", "scope"]),
  needs: Schema.Array(Schema.String)
}) {
  override get message(): string {
    if (this.needs.length === 0) return "Nobody may use this."
    return this.lacking === "scope"
      ? `This connection lacks a permission. It needs the scopes ${this.needs.join(", ")}.`
      : `Your account may not use this. It needs one of: ${this.needs.join(", ")}.`
  }
}

const Extra = Schema.Struct({ principal: Principal })
const decodeExtra = Schema.decodeUnknownEffect(Extra)

/**
 * How an identity travels through the SDK, which knows nothing of it, to the handlers. The access token stays behind:
 * no tool has a use for it.
 */
export const toAuthInfo = (principal: Principal, resourceMetadataUrl: string): AuthInfo => ({
  token: "",
  clientId: principal.clientId,
  scopes: [...principal.scopes],
  resourceMetadataUrl,
  extra: { principal } satisfies typeof Extra.Type
})

/** Whom the log names where a request fails unexpectedly. */
export const callerOf = (authInfo: AuthInfo | undefined): Pick<Principal, "userId" | "clientId"> | {} =>
  Option.match(Schema.decodeUnknownOption(Extra)(authInfo?.extra), {
    onNone: () => ({}),
    onSome: ({ principal: { userId, clientId } }) => ({ userId, clientId })
  })

/** The caller of one protocol message and the facts of this moment: every message is judged by its own token. */
const identify = Effect.fnUntraced(function* (authInfo: AuthInfo | undefined) {
  const access = yield* Access
  const { principal } = yield* Effect.orDie(decodeExtra(authInfo?.extra))
  const user = yield* access.current(principal.userId)
  const organization = yield* organizationOf(user, principal.organizationId)
  return { principal, user, organization, facts: UserSnapshot.policyInput(user, principal, organization) }
})

/** Runs `effect` with the caller's services if the policy admits the caller. */
export const authorize = <A, E, R>(
  policy: Policy.Policy,
  authInfo: AuthInfo | undefined,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<
  A,
  E | AccessError | NotPermitted,
  Access | Exclude<Exclude<Exclude<R, CurrentUser>, CurrentOrganization>, CurrentPrincipal>
> =>
  Effect.flatMap(identify(authInfo), ({ principal, user, organization, facts }) =>
    Policy.Decision.$match(Policy.evaluate(policy, facts), {
      Allowed: () =>
        effect.pipe(
          Effect.provideService(CurrentUser, user),
          Effect.provideService(CurrentOrganization, Option.fromUndefinedOr(organization)),
          Effect.provideService(CurrentPrincipal, principal)
        ),
      Forbidden: ({ needs }) => Effect.fail(new NotPermitted({ lacking: "role", needs })),
      MissingScopes: ({ required }) => Effect.fail(new NotPermitted({ lacking: "scope", needs: required }))
    })
  )

/** Those of the items that the caller may use, whether or not the token has the scope yet. */
export const visible = <A extends { readonly policy: Policy.Policy }>(
  items: ReadonlyArray<A>,
  authInfo: AuthInfo | undefined
): Effect.Effect<ReadonlyArray<A>, AccessError, Access> =>
  Effect.map(identify(authInfo), ({ facts }) => items.filter((item) => Policy.visible(item.policy, facts)))

/**
 * The scopes to step up for before `authorize` is asked. Whoever lacks a role, or cannot be judged, needs no other
 * token: `authorize` refuses, and can say why.
 */
export const challenge = (
  policy: Policy.Policy,
  authInfo: AuthInfo | undefined
): Effect.Effect<ScopeChallenge | undefined, never, Access> =>
  identify(authInfo).pipe(
    Effect.map(({ facts }) => Policy.evaluate(policy, facts)),
    Effect.map((decision) => (decision._tag === "MissingScopes" ? { scopes: decision.required } : undefined)),
    Effect.catchTag("AccessError", () => Effect.undefined)
  )
