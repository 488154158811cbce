import type { AuthInfo, ScopeChallenge } from "@modelcontextprotocol/server"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

import { AccessError, AccessUnknown } from "../access/Access.ts"
import type { Caller } from "../access/Caller.ts"
import { CurrentOrganization, organizationOf } from "../access/CurrentOrganization.ts"
import { CurrentUser } from "../access/CurrentUser.ts"
import * as Policy from "../access/Policy.ts"
import * as UserSnapshot from "../access/UserSnapshot.ts"
import { CurrentPrincipal, type Principal } from "../domain/Principal.ts"
import type { Decision } from "../observability/Decisions.ts"

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

const isCaller = (value: unknown): value is Caller =>
  Predicate.hasProperty(value, "principal") && Predicate.hasProperty(value, "facts")
const Extra = Schema.Struct({ caller: Schema.declare(isCaller) })
const decodeExtra = Schema.decodeUnknownEffect(Extra)

/**
 * How an identity travels through the SDK, which knows nothing of it, to the handlers. The access token stays behind:
 * no tool has a use for it.
 */
export const toAuthInfo = (caller: Caller, resourceMetadataUrl: string): AuthInfo => ({
  token: "",
  clientId: caller.principal.clientId,
  scopes: [...caller.principal.scopes],
  resourceMetadataUrl,
  extra: { caller } satisfies typeof Extra.Type
})

/** Whom the log names where a request fails unexpectedly. */
export const callerOf = (authInfo: AuthInfo | undefined): Pick<Principal, "userId" | "clientId"> | {} =>
  Option.match(Schema.decodeUnknownOption(Extra)(authInfo?.extra), {
    onNone: () => ({}),
    onSome: ({ caller: { principal } }) => ({ userId: principal.userId, clientId: principal.clientId })
  })

/** What a policy said of a message, and of whom. */
export interface Judgement extends Pick<Decision, "policy" | "lacked"> {
  readonly principal: Principal
}

/** Hears of each judgement. The server provides one for each message that it serves: see `JudgedMessages`. */
export const Judged = Context.Reference<(judgement: Judgement) => void>("mcp/Authorize/Judged", {
  defaultValue: () => () => {}
})

const judgementOf = (principal: Principal, decision: Policy.Decision): Judgement =>
  Policy.Decision.$match(decision, {
    Allowed: (): Judgement => ({ principal, policy: "allowed", lacked: [] }),
    Forbidden: ({ needs }): Judgement => ({ principal, policy: "forbidden", lacked: needs }),
    MissingScopes: ({ required }): Judgement => ({
      principal,
      policy: "missing scopes",
      lacked: required.filter((scope) => !principal.scopes.includes(scope)).map((scope) => `scope ${scope}`)
    })
  })

/**
 * Judges one protocol message on its caller and the facts of this moment, by its own token, and tells `Judged`. The only
 * way to the facts, so that nothing is judged without a record.
 */
const judge = Effect.fnUntraced(function* (
  authInfo: AuthInfo | undefined,
  evaluate: (facts: Policy.PolicyInput) => Policy.Decision
) {
  const judged = yield* Judged
  const { principal, facts: known } = (yield* Effect.orDie(decodeExtra(authInfo?.extra))).caller
  if (known._tag === "Unknown") {
    const { retryAfterSeconds, passes } = known
    judged({ principal, policy: "unknown", lacked: [] })
    return yield* new AccessError({ reason: new AccessUnknown({ retryAfterSeconds, passes }) })
  }
  const { user } = known
  const organization = yield* Effect.tapError(organizationOf(user, principal.organizationId), ({ reason }) =>
    Effect.sync(() =>
      judged(
        reason._tag === "OrganizationLeft"
          ? { principal, policy: "forbidden", lacked: ["membership of the organization"] }
          : { principal, policy: "unknown", lacked: [] }
      )
    )
  )
  const facts = UserSnapshot.policyInput(user, principal, organization)
  const decision = evaluate(facts)
  judged(judgementOf(principal, decision))
  return { principal, user, organization, facts, decision }
})

/** Runs `effect` with the caller's services if the policy admits the caller. */
export const authorize = <A, E, R>(
  policy: Policy.Policy,
  authInfo: AuthInfo | undefined,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<
  A,
  E | AccessError | NotPermitted,
  Exclude<Exclude<Exclude<R, CurrentUser>, CurrentOrganization>, CurrentPrincipal>
> =>
  Effect.flatMap(
    judge(authInfo, (facts) => Policy.evaluate(policy, facts)),
    ({ principal, user, organization, decision }) =>
      Policy.Decision.$match(decision, {
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

/** Those of the items that the caller may use, whether or not the token has the scope yet. A list is open to everybody. */
export const visible = <A extends { readonly policy: Policy.Policy }>(
  items: ReadonlyArray<A>,
  authInfo: AuthInfo | undefined
): Effect.Effect<ReadonlyArray<A>, AccessError> =>
  Effect.map(
    judge(authInfo, () => Policy.Decision.Allowed()),
    ({ facts }) => items.filter((item) => Policy.visible(item.policy, facts))
  )

/**
 * The scopes to step up for before `authorize` is asked. Whoever lacks a role, or cannot be judged, needs no other
 * token: `authorize` refuses, and can say why.
 */
export const challenge = (
  policy: Policy.Policy,
  authInfo: AuthInfo | undefined
): Effect.Effect<ScopeChallenge | undefined> =>
  judge(authInfo, (facts) => Policy.evaluate(policy, facts)).pipe(
    Effect.map(({ decision }) => (decision._tag === "MissingScopes" ? { scopes: decision.required } : undefined)),
    Effect.catchTag("AccessError", () => Effect.undefined)
  )
