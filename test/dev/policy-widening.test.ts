import { assert, describe, it } from "@effect/vitest"

import { parse, print } from "../../dev/policy/PolicyText.ts"
import { type Change, compare } from "../../dev/policy/Widening.ts"
import * as Policy from "../../src/server/access/Policy.ts"
import { toWords } from "../../src/server/access/PolicyWords.ts"
import { baseline } from "../../src/server/domain/Scope.ts"
import { admits, AnyPolicy, everybody, policyOf } from "./support/AnyPolicy.ts"

const many = { arbitrary: { runs: 400 } }

describe("comparing two policies", () => {
  it.prop(
    "says what trying everybody says, by the plainest reading",
    [AnyPolicy, AnyPolicy],
    ([before, after]) => {
      const signedIn = everybody.filter(({ scopes }) => scopes.has(baseline))
      const wider = signedIn.some((input) => admits(after, input) && !admits(before, input))
      const narrower = signedIn.some((input) => admits(before, input) && !admits(after, input))
      const expected: Change = wider ? (narrower ? "other" : "wider") : narrower ? "narrower" : "same"
      assert.strictEqual(compare(policyOf(before), policyOf(after)), expected)
    },
    many
  )

  it.prop(
    "finds no difference between a policy and itself, and turns round with its arguments",
    [AnyPolicy, AnyPolicy],
    ([one, other]) => {
      const [a, b] = [policyOf(one), policyOf(other)]
      assert.strictEqual(compare(a, a), "same")
      const turned = { same: "same", wider: "narrower", narrower: "wider", other: "other", unknown: "unknown" } as const
      assert.strictEqual(compare(b, a), turned[compare(a, b)])
    }
  )

  it("looks at what policies mean, not at how they are written", () => {
    const twice = Policy.any(Policy.roles("admin"), Policy.roles("premium", "admin"))
    assert.strictEqual(compare(Policy.roles("admin", "premium"), twice), "same")
    assert.strictEqual(compare(Policy.signedIn, Policy.any(Policy.signedIn, Policy.nobody)), "same")
    assert.strictEqual(compare(Policy.scopes("a", "b"), Policy.scopes("a")), "wider")
    assert.strictEqual(compare(Policy.roles("admin"), Policy.roles("premium")), "other")
  })

  it("does not decide what is too much to try", () => {
    const [first = "", ...rest] = Array.from({ length: 17 }, (_, at) => `scope:${at}`)
    assert.strictEqual(compare(Policy.scopes(first, ...rest), Policy.scopes(first)), "unknown")
  })
})

describe("a policy as text", () => {
  it.prop(
    "is read as it was written",
    [AnyPolicy],
    ([plain]) => {
      const policy = policyOf(plain)
      assert.deepStrictEqual(parse(print(policy)), policy)
    },
    many
  )

  it("is refused where it is anything else", () => {
    for (const text of [
      "",
      "everybody",
      "roles()",
      'roles("a"',
      'roles("a") x',
      "all(roles)",
      'any("a")',
      '"a"',
      "roles(nobody)",
      'roles("\\q")',
      "signedIn()",
      "all(signedIn,)",
      "<<<<<<< HEAD"
    ]) {
      assert.isUndefined(parse(text), text)
    }
  })
})

describe("a policy in words", () => {
  it("names whom it admits", () => {
    const { all, any, inOrganization, nobody, organizationRole, permission, roles, scopes, signedIn } = Policy
    const words = [
      [nobody, "nobody"],
      [signedIn, "everybody who is signed in"],
      [roles("admin"), "anybody with role admin"],
      [
        all(roles("admin", "premium", "image_generation"), scopes("images:generate")),
        "anybody with role admin, premium or image_generation AND scope images:generate"
      ],
      [scopes("a", "b"), "anybody with scopes a and b"],
      [
        any(permission("org:reports:read"), all(roles("admin"), scopes("a"))),
        "anybody with permission org:reports:read in the organization OR (role admin AND scope a)"
      ],
      [organizationRole("org:admin", "org:owner"), "anybody with role org:admin or org:owner in the organization"],
      [all(inOrganization, scopes("a")), "anybody with an organization AND scope a"],
      [all(any(roles("admin")), any(signedIn, nobody)), "anybody with role admin AND (an account OR what nobody has)"]
    ] as const
    for (const [policy, said] of words) assert.strictEqual(toWords(policy), said)
  })
})
