import * as Context from "effect/Context"
import * as Data from "effect/Data"

import { Role } from "../domain/Role.ts"
import { baseline, type Scope } from "../domain/Scope.ts"

/**
 * Who may use something. Build one with `signedIn`, `roles`, `scopes`, `permission`, `organizationRole`,
 * `inOrganization`, `all` and `any`.
 */
export type Policy = Data.TaggedEnum<{
  Nobody: {}
  SignedIn: {}
  Roles: { readonly anyOf: ReadonlyArray<Role> }
  Scopes: { readonly allOf: ReadonlyArray<Scope> }
  Permission: { readonly permission: string }
  OrganizationRole: { readonly anyOf: ReadonlyArray<string> }
  InOrganization: {}
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

/**
 * Users who hold this permission, such as `org:reports:read`, in the organization that the grant is for. What they hold
 * in another one does not count.
 */
export const permission = (permission: string): Policy => Policy.Permission({ permission })

/** Users whose role in the organization that the grant is for is one of these, by Clerk's keys, such as `org:admin`. */
export const organizationRole = (...anyOf: readonly [string, ...Array<string>]): Policy =>
  Policy.OrganizationRole({ anyOf })

/** Every member of the organization that the grant is for; nobody by a grant for a personal account. */
export const inOrganization: Policy = Policy.InOrganization()

/** Those whom every one of these policies admits. */
export const all = (...policies: readonly [Policy, ...Array<Policy>]): Policy => Policy.All({ policies })

/** Those whom at least one of these policies admits. */
export const any = (...policies: readonly [Policy, ...Array<Policy>]): Policy => Policy.Any({ policies })

/** The policy of a tool, a resource or a prompt, as an annotation. Nobody, unless it is set. */
export const Required = Context.Reference<Policy>("access/Policy/Required", { defaultValue: () => nobody })

/** What a policy is judged on: current facts about the user, and the scopes of the token that the request carries. */
export interface PolicyInput {
  readonly role: Role | undefined
  /** What the user is in the organization that the grant is for; `undefined` if it is for the personal account. */
  readonly organization: { readonly role: string; readonly permissions: ReadonlySet<string> } | undefined
  readonly scopes: ReadonlySet<string>
}

export type Decision = Data.TaggedEnum<{
  Allowed: {}
  /** The user may, this token may not. `required` is the whole set to ask for (MCP authorization, step-up flow). */
  MissingScopes: { readonly required: readonly [Scope, ...Array<Scope>] }
  /** The user may not, whatever the token. */
  Forbidden: {}
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
    Permission: ({ permission }) => (user.organization?.permissions.has(permission) === true ? [[]] : []),
    OrganizationRole: ({ anyOf }) =>
      user.organization !== undefined && anyOf.includes(user.organization.role) ? [[]] : [],
    InOrganization: () => (user.organization === undefined ? [] : [[]]),
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

/** Every scope that a policy names, whoever the user is. */
export const scopesOf = (policy: Policy): ReadonlyArray<Scope> =>
  Policy.$match(policy, {
    Nobody: () => [],
    SignedIn: () => [],
    Roles: () => [],
    Permission: () => [],
    OrganizationRole: () => [],
    InOrganization: () => [],
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
  if (nearest === undefined) return Decision.Forbidden()
  if (missing(nearest) === 0) return Decision.Allowed()
  const [first = baseline, ...rest] = nearest
  return Decision.MissingScopes({ required: [first, ...rest] })
}
