import type { Decision } from "../observability/Decisions.ts"
import * as Scope from "../domain/Scope.ts"
import type * as Policy from "./Policy.ts"
import { listed } from "./PolicyWords.ts"

/** One fact that a policy may ask for. */
export interface Fact {
  readonly kind: "role" | "organization role" | "permission" | "membership" | "scope"
  readonly value: string
}

/** How each kind of fact is told, and whether a person can have only one of the kind. */
const kinds: Readonly<Record<Fact["kind"], { readonly exclusive: boolean; readonly many: string }>> = {
  role: { exclusive: true, many: "roles" },
  "organization role": { exclusive: true, many: "organization roles" },
  permission: { exclusive: false, many: "permissions" },
  membership: { exclusive: false, many: "memberships" },
  scope: { exclusive: false, many: "scopes" }
}

const holds = ({ role, organization, scopes }: Policy.PolicyInput, { kind, value }: Fact): boolean => {
  switch (kind) {
    case "role":
      return role === value
    case "organization role":
      return organization?.role === value
    case "permission":
      return organization?.permissions.has(value) === true
    case "membership":
      return organization !== undefined
    case "scope":
      return scopes.has(value)
  }
}

type Facts = ReadonlyArray<Fact>

const same = (one: Fact, other: Fact): boolean => one.kind === other.kind && one.value === other.value
const includes = (facts: Facts, fact: Fact): boolean => facts.some((each) => same(each, fact))

/** Whether somebody who has this is a member of an organization. */
const isOfMember = ({ kind }: Fact): boolean => kind === "organization role" || kind === "permission"

/** Whether somebody who has all of these has the other ones too. */
const implies = (facts: Facts, others: Facts): boolean =>
  others.every((other) => includes(facts, other) || (other.kind === "membership" && facts.some(isOfMember)))

/** Both, where somebody can have both: nobody has two roles. */
const union = (one: Facts, other: Facts): ReadonlyArray<Facts> => {
  const both = [...one, ...other].filter((fact, at, all) => all.findIndex((each) => same(each, fact)) === at)
  const facts = both.some(isOfMember) ? both.filter(({ kind }) => kind !== "membership") : both
  const clash = facts.some((fact) =>
    facts.some((each) => kinds[fact.kind].exclusive && each.kind === fact.kind && each.value !== fact.value)
  )
  return clash ? [] : [facts]
}

/** Those of the sets that ask for more than another one does are left out: without that, nested policies have thousands. */
const least = (sets: ReadonlyArray<Facts>): ReadonlyArray<Facts> =>
  sets.filter(
    (set, at) =>
      !sets.some((other, position) => position !== at && implies(set, other) && (position < at || !implies(other, set)))
  )

/** The sets of facts of which each satisfies a policy. None: nobody can. */
const satisfying = (policy: Policy.Policy): ReadonlyArray<Facts> => {
  switch (policy._tag) {
    case "Nobody":
      return []
    case "SignedIn":
      return [[]]
    case "Roles":
      return policy.anyOf.map((value) => [{ kind: "role", value }])
    case "Scopes":
      return [policy.allOf.map((value) => ({ kind: "scope", value }))]
    case "Permission":
      return [[{ kind: "permission", value: policy.permission }]]
    case "OrganizationRole":
      return policy.anyOf.map((value) => [{ kind: "organization role", value }])
    case "InOrganization":
      return [[{ kind: "membership", value: "an organization" }]]
    case "Any":
      return least(policy.policies.flatMap(satisfying))
    case "All":
      return policy.policies.reduce<ReadonlyArray<Facts>>(
        (sets, policy) => {
          const more = satisfying(policy)
          return least(sets.flatMap((set) => more.flatMap((facts) => union(set, facts))))
        },
        [[]]
      )
  }
}

/**
 * What lacks, as sets of facts of which each one would do, with nothing in a set that could be left out. One empty set:
 * nothing lacks. No set: nobody may, whatever the facts.
 */
export const lacking = (policy: Policy.Policy, facts: Policy.PolicyInput): ReadonlyArray<Facts> => {
  const sets = satisfying(policy).flatMap((set) => union([{ kind: "scope", value: Scope.baseline }], set))
  return least(sets.map((set) => set.filter((fact) => !holds(facts, fact))))
}

/** Whom and what an evaluation is about. */
export interface Question {
  readonly userId: string
  /** The name of the tool, resource or prompt. */
  readonly name: string
  /** The client whose connection is meant. */
  readonly clientId?: string
  /** The organization that the connection is for. */
  readonly organization?: string
  readonly policy: Policy.Policy
  readonly facts: Policy.PolicyInput
}

/** An evaluation in words. */
export interface Explanation {
  /** Whether the policy allows it. */
  readonly may: boolean
  readonly words: string
  /** What lacks: see `lacking`. */
  readonly lacking: ReadonlyArray<Facts>
}

/** `the role admin`, `the scopes a and b`. */
const named = (kind: Fact["kind"], values: ReadonlyArray<string>): string =>
  kind === "membership"
    ? "to be for an organization"
    : `the ${values.length === 1 ? kind : kinds[kind].many} ${listed(values, "and")}`

const valuesOf = (facts: Facts, kind: Fact["kind"]) =>
  facts.filter((fact) => fact.kind === kind).map(({ value }) => value)

/** What the account needs: sets that differ in the role alone are told as one of several roles. */
const needs = (sets: ReadonlyArray<Facts>): string => {
  const byRest = new Map<string, { readonly rest: Facts; readonly roles: Array<string> }>()
  for (const set of sets) {
    const rest = set.filter(({ kind }) => kind !== "role")
    const [role = ""] = valuesOf(set, "role")
    const key = JSON.stringify([rest, role === ""])
    const known = byRest.get(key) ?? { rest, roles: [] }
    byRest.set(key, known)
    if (role !== "") known.roles.push(role)
  }
  const ways = [...byRest.values()].map(({ rest, roles }) => {
    const role =
      roles.length === 0 ? [] : [roles.length === 1 ? named("role", roles) : `one of the roles ${roles.join(", ")}`]
    const others = (["organization role", "permission", "membership", "scope"] as const).flatMap((kind) => {
      const values = valuesOf(rest, kind)
      return values.length === 0 ? [] : [named(kind, values)]
    })
    return listed([...role, ...others], "and")
  })
  return listed(ways, "or")
}

/**
 * The evaluation of a policy, and the facts that lack, in words for an operator. It says "may" exactly where
 * `Policy.evaluate` allows.
 */
export const explain = ({ userId, name, clientId, organization, policy, facts }: Question): Explanation => {
  const sets = lacking(policy, facts)
  const where = organization === undefined ? "" : ` in organization ${organization}`
  const by = clientId === undefined ? "" : ` through client ${clientId}`
  const may = sets.some((set) => set.length === 0)
  const said = (words: string): Explanation => ({ may, words, lacking: sets })
  if (may) return said(`${userId} may use ${name}${where}${by}.`)
  if (sets.length === 0) return said(`${userId} may not use ${name}${where}${by}: nobody may.`)
  const scopesOnly = sets.filter((set) => set.every(({ kind }) => kind === "scope"))
  if (scopesOnly.length > 0) {
    const connection = clientId === undefined ? "The connection" : `The connection of client ${clientId}`
    const scopes = listed(
      scopesOnly.map((set) => named("scope", valuesOf(set, "scope"))),
      "or"
    )
    return said(`${userId} may not use ${name}${where}${by} yet. ${connection} lacks ${scopes}.`)
  }
  const asksForRole = sets.some((set) => set.some(({ kind }) => kind === "role"))
  const role = facts.role === undefined ? "the account has no role" : `the account's role is ${facts.role}`
  return said(
    `${userId} may not use ${name}${where}${by}: it needs ${needs(sets)}${asksForRole ? `, and ${role}` : ""}.`
  )
}

/** How a decision that was recorded went, in words for an operator. */
export const told = (decision: Decision): string => {
  const { userId, clientId, method, name, policy, lacked, outcome, durationMs, reference, organizationId } = decision
  const asked = `${userId} sent ${method}${name === "" ? "" : ` ${name}`} through client ${clientId}${organizationId === undefined ? "" : ` for organization ${organizationId}`}`
  const judged = {
    allowed: "The policy allowed it",
    "missing scopes": `The connection lacked ${listed(lacked, "and")}`,
    forbidden: lacked.length === 0 ? "The policy allows it to nobody" : `The account lacked ${listed(lacked, "or")}`,
    unknown: "Nobody could tell what the account may do, because Clerk did not answer"
  }[policy]
  return `${asked}. ${judged}. It ended after ${durationMs} ms: ${outcome}. Reference ${reference}.`
}
