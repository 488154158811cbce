import * as Data from "effect/Data"

import type * as Policy from "./Policy.ts"

const { $match } = Data.taggedEnum<Policy.Policy>()

/** `a, b or c`. */
export const listed = (names: ReadonlyArray<string>, last: "and" | "or"): string =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} ${last} ${names.at(-1)}`

/** What one has to have, as it stands between others. */
const condition = (policy: Policy.Policy): string =>
  $match(policy, {
    Nobody: () => "what nobody has",
    SignedIn: () => "an account",
    Roles: ({ anyOf }) => `role ${listed(anyOf, "or")}`,
    Scopes: ({ allOf }) => `${allOf.length === 1 ? "scope" : "scopes"} ${listed(allOf, "and")}`,
    Permission: ({ permission }) => `permission ${permission} in the organization`,
    OrganizationRole: ({ anyOf }) => `role ${listed(anyOf, "or")} in the organization`,
    InOrganization: () => "an organization",
    All: ({ policies }) => combined(policies, "AND"),
    Any: ({ policies }) => combined(policies, "OR")
  })

const combined = (policies: ReadonlyArray<Policy.Policy>, word: "AND" | "OR"): string =>
  policies.length === 1
    ? policies.map(condition).join("")
    : policies
        .map((policy) => {
          const nested = (policy._tag === "All" || policy._tag === "Any") && policy.policies.length > 1
          return nested ? `(${condition(policy)})` : condition(policy)
        })
        .join(` ${word} `)

/** Whom a policy admits, such as `anybody with role admin or premium AND scope images:generate`. */
export const toWords = (policy: Policy.Policy): string => {
  switch (policy._tag) {
    case "Nobody":
      return "nobody"
    case "SignedIn":
      return "everybody who is signed in"
    default:
      return `anybody with ${condition(policy)}`
  }
}
