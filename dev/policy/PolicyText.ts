import * as Array from "effect/Array"
import * as Data from "effect/Data"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Policy from "../../src/server/access/Policy.ts"

const { $match } = Data.taggedEnum<Policy.Policy>()

const quoted = (names: ReadonlyArray<string>): string => names.map((name) => JSON.stringify(name)).join(", ")

/** A policy as one writes it: `all(roles("admin", "premium"), scopes("images:generate"))`. */
export const print = (policy: Policy.Policy): string =>
  $match(policy, {
    Nobody: () => "nobody",
    SignedIn: () => "signedIn",
    Roles: ({ anyOf }) => `roles(${quoted(anyOf)})`,
    Scopes: ({ allOf }) => `scopes(${quoted(allOf)})`,
    Permission: ({ permission }) => `permission(${quoted([permission])})`,
    OrganizationRole: ({ anyOf }) => `organizationRole(${quoted(anyOf)})`,
    InOrganization: () => "inOrganization",
    All: ({ policies }) => `all(${policies.map(print).join(", ")})`,
    Any: ({ policies }) => `any(${policies.map(print).join(", ")})`
  })

type Part = string | Policy.Policy
type Parts = Array.NonEmptyReadonlyArray<Part>

/** A policy that is made of names, or of other policies. */
const ofNames =
  (make: (...names: Array.NonEmptyArray<string>) => Policy.Policy) =>
  (parts: Parts): Policy.Policy | undefined => {
    const names = parts.filter((part) => typeof part === "string")
    return Array.isArrayNonEmpty(names) && names.length === parts.length ? make(...names) : undefined
  }
const ofPolicies =
  (make: (...policies: Array.NonEmptyArray<Policy.Policy>) => Policy.Policy) =>
  (parts: Parts): Policy.Policy | undefined => {
    const policies = parts.filter((part) => typeof part !== "string")
    return Array.isArrayNonEmpty(policies) && policies.length === parts.length ? make(...policies) : undefined
  }

const constants: ReadonlyMap<string, Policy.Policy> = new Map([
  ["nobody", Policy.nobody],
  ["signedIn", Policy.signedIn],
  ["inOrganization", Policy.inOrganization]
])

const makers: ReadonlyMap<string, (parts: Parts) => Policy.Policy | undefined> = new Map([
  ["roles", ofNames(Policy.roles)],
  ["scopes", ofNames(Policy.scopes)],
  ["permission", ofNames((name) => Policy.permission(name))],
  ["organizationRole", ofNames(Policy.organizationRole)],
  ["all", ofPolicies(Policy.all)],
  ["any", ofPolicies(Policy.any)]
])

const decodeName = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.String))

const token = /\s*([a-zA-Z]+|"(?:[^"\\]|\\.)*"|[(),])/uy

/** The policy that `print` wrote; `undefined` for anything else. */
export const parse = (text: string): Policy.Policy | undefined => {
  const tokens: Array<string> = []
  token.lastIndex = 0
  for (let end = 0; end < text.length; end = token.lastIndex) {
    const [, next] = token.exec(text) ?? []
    if (next === undefined) return undefined
    tokens.push(next)
  }
  let at = 0
  const take = (expected: string): boolean => tokens[at] === expected && at++ >= 0

  const part = (): Part | undefined => {
    const next = tokens[at++] ?? ""
    if (next.startsWith('"')) return Option.getOrUndefined(decodeName(next))
    const make = makers.get(next)
    if (make === undefined || !take("(")) return constants.get(next)
    const first = part()
    if (first === undefined) return undefined
    const parts: Array.NonEmptyArray<Part> = [first]
    while (take(",")) {
      const another = part()
      if (another === undefined) return undefined
      parts.push(another)
    }
    return take(")") ? make(parts) : undefined
  }

  const policy = part()
  return typeof policy === "string" || at !== tokens.length ? undefined : policy
}
