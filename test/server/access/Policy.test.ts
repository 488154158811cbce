import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import { organizationOf } from "../../../src/server/access/CurrentOrganization.ts"
import * as Policy from "../../../src/server/access/Policy.ts"
import { type Membership, policyInput } from "../../../src/server/access/UserSnapshot.ts"
import { OrganizationId } from "../../../src/server/domain/Principal.ts"
import { Role } from "../../../src/server/domain/Role.ts"
import { baseline } from "../../../src/server/domain/Scope.ts"
import { ada } from "../../support/People.ts"
import {
  AnyFacts,
  AnyPolicy,
  factsOf,
  Leaf,
  permissionNames,
  Place,
  policyOf,
  scopeNames,
  type Shape
} from "../../support/Policies.ts"

const withScopes = (facts: Policy.PolicyInput, ...scopes: ReadonlyArray<string>): Policy.PolicyInput => ({
  ...facts,
  scopes: new Set([...facts.scopes, ...scopes])
})

/** The meaning of a policy, written a second time in the plainest way: does it admit a bearer of these facts? */
const admits = (shape: Shape, facts: Policy.PolicyInput): boolean => {
  switch (shape.kind) {
    case "nobody":
      return false
    case "signedIn":
      return true
    case "roles":
      return facts.role !== undefined && shape.roles.includes(facts.role)
    case "scopes":
      return shape.scopes.every((scope) => facts.scopes.has(scope))
    case "permission":
      return facts.organization?.permissions.has(shape.permission) === true
    case "inOrganization":
      return facts.organization !== undefined
    case "organizationRole":
      return shape.keys.some((key) => key === facts.organization?.role)
    case "all":
      return shape.of.every((part) => admits(part, facts))
    case "any":
      return shape.of.some((part) => admits(part, facts))
  }
}

const many = { arbitrary: { runs: 300 } }

describe("Policy", () => {
  const { MissingScopes, Forbidden, Allowed } = Policy.Decision
  const imagePolicy = Policy.all(Policy.roles("admin", "premium"), Policy.scopes("paint:use"))
  it.each([
    ["nobody", Policy.nobody, { role: "admin", scopes: scopeNames }, Forbidden()],
    ["signed in", Policy.signedIn, { scopes: ["mcp:tools"] }, Allowed()],
    ["signed in, no baseline", Policy.signedIn, {}, MissingScopes({ required: ["mcp:tools"] })],
    ["one of the roles", Policy.roles("guest", "admin"), { role: "admin", scopes: ["mcp:tools"] }, Allowed()],
    ["another role", Policy.roles("admin"), { role: "guest", scopes: scopeNames }, Forbidden()],
    ["no role", Policy.roles("admin"), { scopes: scopeNames }, Forbidden()],
    ["role and scope", imagePolicy, { role: "premium", scopes: scopeNames }, Allowed()],
    [
      "role without scope",
      imagePolicy,
      { role: "premium", scopes: ["mcp:tools"] },
      MissingScopes({ required: ["mcp:tools", "paint:use"] })
    ],
    ["scope without role", imagePolicy, { role: "guest", scopes: scopeNames }, Forbidden()],
    [
      "permission held",
      Policy.permission("org:reports:read"),
      { organization: { key: "org:member", permissions: ["org:reports:read"] }, scopes: ["mcp:tools"] },
      Allowed()
    ],
    [
      "permission not held",
      Policy.permission("org:reports:read"),
      { organization: { key: "org:admin", permissions: ["org:reports:write"] }, scopes: scopeNames },
      Forbidden()
    ],
    [
      "role in the organization",
      Policy.organizationRole("org:admin", "org:member"),
      { organization: { key: "org:member", permissions: [] }, scopes: ["mcp:tools"] },
      Allowed()
    ],
    [
      "another role in the organization",
      Policy.organizationRole("org:admin"),
      { role: "admin", organization: { key: "org:member", permissions: [] }, scopes: scopeNames },
      Forbidden()
    ],
    [
      "a member",
      Policy.inOrganization,
      { organization: { key: "org:member", permissions: [] }, scopes: ["mcp:tools"] },
      Allowed()
    ],
    ["a personal account", Policy.inOrganization, { role: "admin", scopes: scopeNames }, Forbidden()],
    [
      "a scope before something else",
      Policy.all(Policy.scopes("paint:use"), Policy.signedIn),
      { scopes: ["mcp:tools"] },
      MissingScopes({ required: ["mcp:tools", "paint:use"] })
    ],
    [
      "the cheaper of two ways",
      Policy.any(Policy.scopes("paint:use"), Policy.roles("admin")),
      { role: "admin", scopes: [] },
      MissingScopes({ required: ["mcp:tools"] })
    ]
  ] as const)("%s", (_, policy, facts, decision) => {
    assert.deepStrictEqual(Policy.evaluate(policy, factsOf(facts)), decision)
  })

  it.prop(
    "says what the plain reading of the policy says",
    [AnyPolicy, AnyFacts],
    ([shape, plain]) => {
      const facts = factsOf(plain)
      const allowed = facts.scopes.has(baseline) && admits(shape, facts)
      assert.strictEqual(Policy.evaluate(policyOf(shape), facts)._tag === "Allowed", allowed)
    },
    many
  )

  const placeOf = (
    at: number,
    { key, permissions }: { readonly key: string; readonly permissions: ReadonlyArray<string> }
  ) =>
    ({ id: OrganizationId.make(`org_${at}`), slug: null, name: `${at}`, role: key, permissions }) satisfies Membership

  it.effect.prop(
    "says the same whatever the user is in other organizations than the grant's",
    [AnyPolicy, AnyFacts, Schema.Array(Schema.Struct(Place))],
    ([shape, { role, organization, scopes }, others]) =>
      Effect.gen(function* () {
        const grant = organization && OrganizationId.make("org_0")
        const own = organization === undefined ? [] : [placeOf(0, organization)]
        const judged = (memberships: ReadonlyArray<Membership>) => {
          const user = { ...ada, role: role === undefined ? null : Role.make(role), memberships }
          return Effect.map(organizationOf(user, grant), (place) =>
            Policy.evaluate(policyOf(shape), policyInput(user, { scopes }, place))
          )
        }
        const elsewhere = others.map((other, index) => placeOf(index + 1, other))
        const alone = yield* judged(own)
        assert.deepStrictEqual(yield* judged([...own, ...elsewhere]), alone)
        assert.deepStrictEqual(yield* judged([...elsewhere, ...own]), alone)
        assert.deepStrictEqual(alone, Policy.evaluate(policyOf(shape), factsOf({ role, organization, scopes })))
      }),
    many
  )

  it.prop("does not depend on the order in a combination", [Schema.Array(AnyPolicy), AnyFacts], ([shapes, plain]) => {
    const facts = factsOf(plain)
    for (const combine of [Policy.all, Policy.any]) {
      const [first = Policy.signedIn, ...rest] = shapes.map(policyOf)
      const [last = Policy.signedIn, ...others] = [first, ...rest].toReversed()
      const [there, back] = [
        Policy.evaluate(combine(first, ...rest), facts),
        Policy.evaluate(combine(last, ...others), facts)
      ]
      assert.strictEqual(there._tag, back._tag)
      if (there._tag === "MissingScopes" && back._tag === "MissingScopes") {
        const lacking = (required: ReadonlyArray<string>) => required.filter((scope) => !facts.scopes.has(scope)).length
        assert.strictEqual(lacking(there.required), lacking(back.required))
      }
    }
  })

  it.prop("all with nobody forbids, any with nobody changes nothing", [AnyPolicy, AnyFacts], ([shape, plain]) => {
    const [policy, facts] = [policyOf(shape), factsOf(plain)]
    assert.strictEqual(Policy.evaluate(Policy.all(policy, Policy.nobody), facts)._tag, "Forbidden")
    assert.strictEqual(Policy.evaluate(Policy.all(Policy.nobody, policy), facts)._tag, "Forbidden")
    const alone = Policy.evaluate(policy, facts)
    assert.deepStrictEqual(Policy.evaluate(Policy.any(policy, Policy.nobody), facts), alone)
    assert.deepStrictEqual(Policy.evaluate(Policy.any(Policy.nobody, policy), facts), alone)
    assert.deepStrictEqual(Policy.evaluate(Policy.all(policy), facts), alone)
    assert.deepStrictEqual(Policy.evaluate(Policy.any(policy), facts), alone)
  })

  it.prop(
    "shows exactly what is not forbidden, whatever the token",
    [AnyPolicy, AnyFacts],
    ([shape, plain]) => {
      const [policy, facts] = [policyOf(shape), factsOf(plain)]
      for (const scopes of [[], ["mcp:tools"], scopeNames]) {
        const decision = Policy.evaluate(policy, { ...facts, scopes: new Set(scopes) })
        assert.strictEqual(Policy.visible(policy, facts), decision._tag !== "Forbidden")
      }
    },
    many
  )

  it.prop(
    "asks for the baseline, and for exactly what lets the call pass",
    [AnyPolicy, AnyFacts],
    ([shape, plain]) => {
      const [policy, facts] = [policyOf(shape), factsOf(plain)]
      const decision = Policy.evaluate(policy, facts)
      if (decision._tag !== "MissingScopes") return
      const { required } = decision
      assert.include(required, baseline)
      assert.strictEqual(new Set(required).size, required.length)
      assert.isTrue(required.some((scope) => !facts.scopes.has(scope)))
      assert.strictEqual(Policy.evaluate(policy, withScopes(facts, ...required))._tag, "Allowed")
      assert.strictEqual(Policy.evaluate(policy, { ...facts, scopes: new Set(required) })._tag, "Allowed")
    },
    many
  )

  it.prop(
    "all admits whom both parts authorize, any whom one of them does",
    [Leaf, AnyPolicy, AnyFacts],
    ([one, other, plain]) => {
      const facts = factsOf(plain)
      const admitted = (policy: Policy.Policy) => Policy.evaluate(policy, facts)._tag === "Allowed"
      const [first, second] = [policyOf(one), policyOf(other)]
      for (const [a, b] of [
        [first, second],
        [second, first]
      ] as const) {
        assert.strictEqual(admitted(Policy.all(a, b)), admitted(a) && admitted(b))
        assert.strictEqual(admitted(Policy.any(a, b)), admitted(a) || admitted(b))
      }
    },
    { arbitrary: { runs: 500 } }
  )

  it("denies where no policy was written", () => {
    assert.deepStrictEqual(Context.get(Context.empty(), Policy.Required), Policy.nobody)
    assert.isFalse(
      Policy.visible(
        Policy.nobody,
        factsOf({ role: "admin", organization: { key: "org:admin", permissions: permissionNames } })
      )
    )
  })
})
