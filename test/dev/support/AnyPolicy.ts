import * as Schema from "effect/Schema"

import * as Policy from "../../../src/server/access/Policy.ts"
import { Role } from "../../../src/server/domain/Role.ts"

const roles = ["admin", "premium", "a role, or two"] as const
const scopes = ["mcp:tools", "paint:use", "app:use"] as const
const places = ["org:admin", "org:member"] as const
const permissions = ["org:reports:read", 'org:"quoted"'] as const

/** The plainest description of a policy, of which arbitrary ones can be made. */
type Plain =
  | { readonly is: "nobody" | "signedIn" | "inOrganization" }
  | {
      readonly is: "roles" | "scopes" | "permission" | "organizationRole"
      readonly names: readonly [string, ...Array<string>]
    }
  | { readonly is: "all" | "any"; readonly of: readonly [Plain, ...Array<Plain>] }

const Leaf = Schema.Union([
  Schema.Struct({ is: Schema.Literals(["nobody", "signedIn", "inOrganization"]) }),
  Schema.Struct({ is: Schema.Literal("roles"), names: Schema.NonEmptyArray(Schema.Literals(roles)) }),
  Schema.Struct({ is: Schema.Literal("scopes"), names: Schema.NonEmptyArray(Schema.Literals(scopes)) }),
  Schema.Struct({ is: Schema.Literal("organizationRole"), names: Schema.NonEmptyArray(Schema.Literals(places)) }),
  Schema.Struct({ is: Schema.Literal("permission"), names: Schema.NonEmptyArray(Schema.Literals(permissions)) })
])
const combined = <S extends Schema.Codec<Plain>>(of: S) =>
  Schema.Union([Leaf, Schema.Struct({ is: Schema.Literals(["all", "any"]), of: Schema.NonEmptyArray(of) })])

/** Policies of up to three levels. */
export const AnyPolicy = combined(combined(Leaf))

export const policyOf = (plain: Plain): Policy.Policy => {
  switch (plain.is) {
    case "nobody":
      return Policy.nobody
    case "signedIn":
      return Policy.signedIn
    case "inOrganization":
      return Policy.inOrganization
    case "organizationRole":
      return Policy.organizationRole(...plain.names)
    case "permission":
      return Policy.permission(plain.names[0])
    case "roles":
      return Policy.roles(...plain.names)
    case "scopes":
      return Policy.scopes(...plain.names)
    case "all":
    case "any": {
      const [first, ...rest] = plain.of
      return (plain.is === "all" ? Policy.all : Policy.any)(policyOf(first), ...rest.map(policyOf))
    }
  }
}

/** Whom a policy admits, in the plainest reading. */
export const admits = (plain: Plain, input: Policy.PolicyInput): boolean => {
  switch (plain.is) {
    case "nobody":
      return false
    case "signedIn":
      return true
    case "permission":
      return input.organization?.permissions.has(plain.names[0]) === true
    case "inOrganization":
      return input.organization !== undefined
    case "organizationRole":
      return input.organization !== undefined && plain.names.includes(input.organization.role)
    case "roles":
      return input.role !== undefined && plain.names.includes(input.role)
    case "scopes":
      return plain.names.every((name) => input.scopes.has(name))
    case "all":
      return plain.of.every((part) => admits(part, input))
    case "any":
      return plain.of.some((part) => admits(part, input))
  }
}

const subsets = ([first, ...rest]: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> =>
  first === undefined ? [[]] : subsets(rest).flatMap((set) => [set, [first, ...set]])

/** Everybody that there can be: one more role, permission and scope than any policy names. */
export const everybody: ReadonlyArray<Policy.PolicyInput> = [undefined, ...roles, "nobody's role"].flatMap((role) =>
  [undefined, ...places, "org:other"].flatMap((place) =>
    subsets(place === undefined ? [] : [...permissions, "org:other:read"]).flatMap((held) =>
      subsets([...scopes, "other:use"]).map((granted) => ({
        role: role === undefined ? undefined : Role.make(role),
        organization: place === undefined ? undefined : { role: place, permissions: new Set(held) },
        scopes: new Set(granted)
      }))
    )
  )
)
