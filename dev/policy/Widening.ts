import * as Data from "effect/Data"
import * as Policy from "../../src/server/access/Policy.ts"
import { Role } from "../../src/server/domain/Role.ts"
import { baseline } from "../../src/server/domain/Scope.ts"

/**
 * What a new policy does to those whom the old one admitted: `other` lets some in and keeps some out, `unknown` is for
 * policies that name too much to be tried out.
 */
export type Change = "same" | "wider" | "narrower" | "other" | "unknown"

/** The facts that a policy tells apart. All others change nothing. */
interface Named {
  readonly roles: ReadonlyArray<string>
  readonly organizationRoles: ReadonlyArray<string>
  readonly permissions: ReadonlyArray<string>
  readonly scopes: ReadonlyArray<string>
}

const nothing: Named = { roles: [], organizationRoles: [], permissions: [], scopes: [] }

const union = (parts: ReadonlyArray<Named>): Named => ({
  roles: [...new Set(parts.flatMap(({ roles }) => roles))],
  organizationRoles: [...new Set(parts.flatMap(({ organizationRoles }) => organizationRoles))],
  permissions: [...new Set(parts.flatMap(({ permissions }) => permissions))],
  scopes: [...new Set(parts.flatMap(({ scopes }) => scopes))]
})

const { $match } = Data.taggedEnum<Policy.Policy>()

const named = (policy: Policy.Policy): Named =>
  $match(policy, {
    Nobody: () => nothing,
    SignedIn: () => nothing,
    Roles: ({ anyOf }) => ({ ...nothing, roles: anyOf }),
    Scopes: ({ allOf }) => ({ ...nothing, scopes: allOf.filter((scope) => scope !== baseline) }),
    Permission: ({ permission }) => ({ ...nothing, permissions: [permission] }),
    OrganizationRole: ({ anyOf }) => ({ ...nothing, organizationRoles: anyOf }),
    InOrganization: () => nothing,
    All: ({ policies }) => union(policies.map(named)),
    Any: ({ policies }) => union(policies.map(named))
  })

/** Every set that can be made of these names. */
const subsets = (names: ReadonlyArray<string>): ReadonlyArray<ReadonlySet<string>> =>
  Array.from({ length: 2 ** names.length }, (_, chosen) => new Set(names.filter((_, at) => (chosen >> at) & 1)))

/** Everybody whom the policies can tell apart, with each token that they can tell apart. */
const everybody = ({ roles, organizationRoles, permissions, scopes }: Named): ReadonlyArray<Policy.PolicyInput> => {
  const held = subsets(permissions)
  const members = ["another role", ...organizationRoles].flatMap((role) =>
    held.map((permissions) => ({ role, permissions }))
  )
  const granted = subsets(scopes).map((set) => new Set([baseline, ...set]))
  return [undefined, ...roles.map((role) => Role.make(role))].flatMap((role) =>
    [undefined, ...members].flatMap((organization) => granted.map((scopes) => ({ role, organization, scopes })))
  )
}

/** How many cases are tried at most: a second or so. */
const mostCases = 2 ** 16

/** Compares two policies by what they decide for everybody whom they can tell apart. */
export const compare = (before: Policy.Policy, after: Policy.Policy): Change => {
  const facts = union([named(before), named(after)])
  const members = (facts.organizationRoles.length + 1) * 2 ** facts.permissions.length
  const cases = (facts.roles.length + 1) * (members + 1) * 2 ** facts.scopes.length
  if (cases > mostCases) return "unknown"
  const admits = (policy: Policy.Policy, input: Policy.PolicyInput) => Policy.evaluate(policy, input)._tag === "Allowed"
  let wider = false
  let narrower = false
  for (const input of everybody(facts)) {
    const [was, is] = [admits(before, input), admits(after, input)]
    wider ||= is && !was
    narrower ||= was && !is
  }
  if (wider) return narrower ? "other" : "wider"
  return narrower ? "narrower" : "same"
}
