import * as Context from "effect/Context"
import * as Data from "effect/Data"

import { Role } from "../domain/Role.ts"
import { baseline, type Scope } from "../domain/Scope.ts"

/** Who may use something. Build one with `signedIn`, `roles`, `scopes`, `permission`, `all` and `any`. */
export type Policy = Data.TaggedEnum<{
  Nobody: {}
  SignedIn: {}
  Roles: { readonly anyOf: ReadonlyArray<Role> }
  Scopes: { readonly allOf: ReadonlyArray<Scope> }
  Permission: { readonly permission: string }
  All: { readonly policies: ReadonlyArray<Policy> }
  Any: { readonly policies: ReadonlyArray<Policy> }
}>
const Policy = Data.taggedEnum<Policy>()

/** Refuses everybody. What holds where no policy was written. */
export const nobody: Policy = Policy.Nobody()

/** Everybody who has signed in. */
export const signedIn: Policy = Policy.SignedIn()

/** Users whose role is one of these. */
export const roles = (...anyOf: readonly [string, ...Array<string>]): Policy =>
  Policy.Roles({ anyOf: anyOf.map((role) => Role.make(role)) })

/** Access tokens that carry all of these scopes. The baseline scope is always needed and not repeated here. */
export const scopes = (...allOf: readonly [Scope, ...Array<Scope>]): Policy => Policy.Scopes({ allOf })

/** Users who hold this permission in one of their organizations, such as `org:reports:read`. */
export const permission = (permission: string): Policy => Policy.Permission({ permission })

/** Those whom every one of these policies admits. */
export const all = (...policies: readonly [Policy, ...Array<Policy>]): Policy => Policy.All({ policies })

/** Those whom at least one of these policies admits. */
export const any = (...policies: readonly [Policy, ...Array<Policy>]): Policy => Policy.Any({ policies })

/** The policy of a tool, a resource or a prompt, as an annotation. Nobody, unless it is set. */
export const Required = Context.Reference<Policy>("access/Policy/Required", { defaultValue: () => nobody })

/** What a policy is judged on: current facts about the user, and the scopes of the token that the request carries. */
export interface PolicyInput {
  readonly role: Role | undefined
  readonly permissions: ReadonlySet<string>
  readonly scopes: ReadonlySet<string>
}

export type Decision = Data.TaggedEnum<{
  Allowed: {}
  /** The user may, this token may not. `required` is the whole set to ask for (MCP authorization, step-up flow). */
  MissingScopes: { readonly required: readonly [Scope, ...Array<Scope>] }
  /** The user may not, whatever the token. `needs` names the roles and permissions that would do. */
  Forbidden: { readonly needs: ReadonlyArray<string> }
}>
export const Decision = Data.taggedEnum<Decision>()

type User = Omit<PolicyInput, "scopes">

/** The sets of scopes of which each one, added to what the user is, satisfies the policy. None: no token helps. */
const alternatives = (policy: Policy, user: User): ReadonlyArray<ReadonlyArray<Scope>> =>
  Policy.$match(policy, {
    Nobody: () => [],
    SignedIn: () => [[]],
    Roles: ({ anyOf }) => (user.role !== undefined && anyOf.includes(user.role) ? [[]] : []),
    Scopes: ({ allOf }) => [allOf],
    Permission: ({ permission }) => (user.permissions.has(permission) ? [[]] : []),
    Any: ({ policies }) => policies.flatMap((policy) => alternatives(policy, user)),
    All: ({ policies }) =>
      policies.reduce<ReadonlyArray<ReadonlyArray<Scope>>>(
        (sets, policy) => {
          const more = alternatives(policy, user)
          return sets.flatMap((set) => more.map((scopes) => [...set, ...scopes]))
        },
        [[]]
      )
  })

const needs = (policy: Policy): ReadonlyArray<string> =>
  Policy.$match(policy, {
    Nobody: () => [],
    SignedIn: () => [],
    Scopes: () => [],
    Roles: ({ anyOf }) => anyOf.map((role) => `role ${role}`),
    Permission: ({ permission }) => [`permission ${permission}`],
    Any: ({ policies }) => policies.flatMap(needs),
    All: ({ policies }) => policies.flatMap(needs)
  })

/** Every scope that a policy names, whoever the user is. */
export const scopesOf = (policy: Policy): ReadonlyArray<Scope> =>
  Policy.$match(policy, {
    Nobody: () => [],
    SignedIn: () => [],
    Roles: () => [],
    Permission: () => [],
    Scopes: ({ allOf }) => allOf,
    Any: ({ policies }) => policies.flatMap(scopesOf),
    All: ({ policies }) => policies.flatMap(scopesOf)
  })

/** Whether to show this to the user. Scopes do not count, so that a client can find out what to step up for. */
export const visible = (policy: Policy, user: User): boolean => alternatives(policy, user).length > 0

/** Judges a policy. Every alternative includes the baseline scope. */
export const evaluate = (policy: Policy, facts: PolicyInput): Decision => {
  const missing = (scopes: ReadonlyArray<Scope>) => scopes.filter((scope) => !facts.scopes.has(scope)).length
  const [nearest] = alternatives(policy, facts)
    .map((scopes) => [...new Set([baseline, ...scopes])] as const)
    .toSorted((a, b) => missing(a) - missing(b))
  if (nearest === undefined) return Decision.Forbidden({ needs: [...new Set(needs(policy))] })
  if (missing(nearest) === 0) return Decision.Allowed()
  const [first = baseline, ...rest] = nearest
  return Decision.MissingScopes({ required: [first, ...rest] })
}
