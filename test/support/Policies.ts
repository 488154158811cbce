import * as Schema from "effect/Schema"

import * as Policy from "../../src/server/access/Policy.ts"
import { Role } from "../../src/server/domain/Role.ts"

const roleNames = ["admin", "premium", "guest"] as const
export const scopeNames = ["mcp:tools", "paint:use", "app:use", "grants:end"] as const
export const permissionNames = ["org:reports:read", "org:reports:write"] as const
const keyNames = ["org:admin", "org:member"] as const

/** A description of a policy, of which arbitrary ones can be made. */
export type Shape =
  | { readonly kind: "nobody" | "signedIn" | "inOrganization" }
  | { readonly kind: "organizationRole"; readonly keys: readonly [string, ...Array<string>] }
  | { readonly kind: "roles"; readonly roles: readonly [string, ...Array<string>] }
  | { readonly kind: "scopes"; readonly scopes: readonly [string, ...Array<string>] }
  | { readonly kind: "permission"; readonly permission: string }
  | { readonly kind: "all" | "any"; readonly of: readonly [Shape, ...Array<Shape>] }

export const Leaf = Schema.Union([
  Schema.Struct({ kind: Schema.Literals(["nobody", "signedIn", "inOrganization"]) }),
  Schema.Struct({ kind: Schema.Literal("organizationRole"), keys: Schema.NonEmptyArray(Schema.Literals(keyNames)) }),
  Schema.Struct({ kind: Schema.Literal("roles"), roles: Schema.NonEmptyArray(Schema.Literals(roleNames)) }),
  Schema.Struct({ kind: Schema.Literal("scopes"), scopes: Schema.NonEmptyArray(Schema.Literals(scopeNames)) }),
  Schema.Struct({ kind: Schema.Literal("permission"), permission: Schema.Literals(permissionNames) })
])
const combined = <S extends Schema.Codec<Shape>>(of: S) =>
  Schema.Union([Leaf, Schema.Struct({ kind: Schema.Literals(["all", "any"]), of: Schema.NonEmptyArray(of) })])
export const AnyPolicy = combined(combined(Leaf))

export const policyOf = (shape: Shape): Policy.Policy => {
  switch (shape.kind) {
    case "nobody":
      return Policy.nobody
    case "signedIn":
      return Policy.signedIn
    case "inOrganization":
      return Policy.inOrganization
    case "organizationRole":
      return Policy.organizationRole(...shape.keys)
    case "roles":
      return Policy.roles(...shape.roles)
    case "scopes":
      return Policy.scopes(...shape.scopes)
    case "permission":
      return Policy.permission(shape.permission)
    case "all":
    case "any": {
      const [first, ...rest] = shape.of
      const combine = shape.kind === "all" ? Policy.all : Policy.any
      return combine(policyOf(first), ...rest.map(policyOf))
    }
  }
}

export const Place = { key: Schema.Literals(keyNames), permissions: Schema.Array(Schema.Literals(permissionNames)) }

export const AnyFacts = Schema.Struct({
  role: Schema.UndefinedOr(Schema.Literals(roleNames)),
  organization: Schema.UndefinedOr(Schema.Struct(Place)),
  scopes: Schema.Array(Schema.Literals(scopeNames))
})

export const factsOf = ({ role, organization, scopes }: Partial<typeof AnyFacts.Type>): Policy.PolicyInput => ({
  role: role && Role.make(role),
  organization: organization && { role: organization.key, permissions: new Set(organization.permissions) },
  scopes: new Set(scopes)
})
