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
import { type Fact, lacking } from "../access/Explanation.ts"
import * as Policy from "../access/Policy.ts"
import { listed } from "../access/PolicyWords.ts"
import * as UserSnapshot from "../access/UserSnapshot.ts"
import { CurrentPrincipal, type Principal } from "../domain/Principal.ts"
import type { Decision } from "../observability/Decisions.ts"
import * as Incident from "../observability/Incident.ts"

/**
 * The caller may not use this. `needs` is what would do: where scopes lack, all that the token has to carry; otherwise
 * each a way of its own. `lacking` is "role" where some role would do. `message` names what is needed, nothing else.
 */
export class NotPermitted extends Schema.TaggedError<NotPermitted>()("NotPermitted", {
  lacking: Schema.Literals(["role", "permission", "scope"]),
  needs: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const [need, ...more] = this.needs
    if (need === undefined) return "Nobody may use this."
    const all = this.needs.join(", ")
    return this.lacking === "scope"
      ? `This connection lacks a permission. It needs the ${more.length === 0 ? "scope" : "scopes"} ${all}.`
      : `Your account may not use this. It needs ${more.length === 0 ? need : `one of: ${all}`}.`
  }
}

/** How a fact that lacks is told to whoever lacks it. */
const factInWords = ({ kind, value }: Fact): string => {
  switch (kind) {
    case "role":
    case "scope":
      return `${kind} ${value}`
    case "permission":
      return `permission ${value} in your organization`
    case "organization role":
      return `role ${value} in your organization`
    case "membership":
      return "a connection for an organization"
  }
}

type Lacking = ReadonlyArray<ReadonlyArray<Fact>>

/** Each way to what lacks, once. */
const inWords = (sets: Lacking): ReadonlyArray<string> => [
  ...new Set(sets.map((facts) => listed(facts.map(factInWords), "and")))
]

const isScope = ({ kind }: Fact): boolean => kind === "scope"

/** What of it no other token of the same user would bring. */
const withoutScopes = (sets: Lacking): Lacking => sets.map((facts) => facts.filter((fact) => !isScope(fact)))

const isRole = ({ kind }: Fact): boolean => kind === "role" || kind === "organization role"

const forbidden = (sets: Lacking): NotPermitted =>
  new NotPermitted({
    lacking: sets.flat().some(isRole) ? "role" : "permission",
    needs: inWords(withoutScopes(sets))
  })

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

/** The message of a refusal with the reference of its record, by which an operator finds and explains it. */
export const referred = Effect.fnUntraced(function* ({ message }: AccessError | NotPermitted) {
  const reference = yield* Incident.reference
  const told = yield* Incident.Told
  told({ reference, planned: true })
  return `${message} Reference ${reference}`
})

/** What a policy said of a message, and of whom. */
export interface Judgement extends Pick<Decision, "policy" | "lacked"> {
  readonly principal: Principal
}

/** Hears of each judgement. The server provides one for each message that it serves: see `JudgedMessages`. */
export const Judged = Context.Reference<(judgement: Judgement) => void>("mcp/Authorize/Judged", {
  defaultValue: () => () => {}
})

const judgementOf = (principal: Principal, decision: Policy.Decision, sets: Lacking): Judgement =>
  Policy.Decision.$match(decision, {
    Allowed: (): Judgement => ({ principal, policy: "allowed", lacked: [] }),
    Forbidden: (): Judgement => ({ principal, policy: "forbidden", lacked: inWords(sets) }),
    MissingScopes: ({ required }): Judgement => ({
      principal,
      policy: "missing scopes",
      lacked: required.filter((scope) => !principal.scopes.includes(scope)).map((scope) => `scope ${scope}`)
    })
  })

/**
 * Judges one protocol message on its caller and the facts of this moment, by its own token, and tells `Judged`. The only
 * way to the facts, so that nothing is judged without a record. Without a policy it is open to everybody.
 */
const judge = Effect.fnUntraced(function* (policy: Policy.Policy | undefined, authInfo: AuthInfo | undefined) {
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
  const decision = policy === undefined ? Policy.Decision.Allowed() : Policy.evaluate(policy, facts)
  const sets = policy === undefined || decision._tag !== "Forbidden" ? [] : lacking(policy, facts)
  judged(judgementOf(principal, decision, sets))
  return { principal, user, organization, facts, decision, sets }
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
  Effect.flatMap(judge(policy, authInfo), ({ principal, user, organization, decision, sets }) =>
    Policy.Decision.$match(decision, {
      Allowed: () =>
        effect.pipe(
          Effect.provideService(CurrentUser, user),
          Effect.provideService(CurrentOrganization, Option.fromUndefinedOr(organization)),
          Effect.provideService(CurrentPrincipal, principal)
        ),
      Forbidden: () => Effect.fail(forbidden(sets)),
      MissingScopes: ({ required }) => Effect.fail(new NotPermitted({ lacking: "scope", needs: required }))
    })
  )

/** Those of the items that the caller may use, whether or not the token has the scope yet. A list is open to everybody. */
export const visible = <A extends { readonly policy: Policy.Policy }>(
  items: ReadonlyArray<A>,
  authInfo: AuthInfo | undefined
): Effect.Effect<ReadonlyArray<A>, AccessError> =>
  Effect.map(judge(undefined, authInfo), ({ facts }) => items.filter((item) => Policy.visible(item.policy, facts)))

/**
 * The scopes to step up for before `authorize` is asked. The challenge holds no reference: SDK v1 tries again for as long
 * as each challenge differs from the last. Whoever lacks a role, or cannot be judged, needs no other
 * token: `authorize` refuses, and can say why.
 */
export const challenge = (
  policy: Policy.Policy,
  authInfo: AuthInfo | undefined
): Effect.Effect<ScopeChallenge | undefined> =>
  judge(policy, authInfo).pipe(
    Effect.map(({ decision }) => (decision._tag === "MissingScopes" ? { scopes: decision.required } : undefined)),
    Effect.catchTag("AccessError", () => Effect.undefined)
  )
