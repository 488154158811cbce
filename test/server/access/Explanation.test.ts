import { assert, describe, it } from "@effect/vitest"

import * as Explanation from "../../../src/server/access/Explanation.ts"
import * as Policy from "../../../src/server/access/Policy.ts"
import { Role } from "../../../src/server/domain/Role.ts"
import { decided } from "../../support/Decided.ts"
import { AnyFacts, AnyPolicy, factsOf, policyOf } from "../../support/Policies.ts"

/** The facts, with these granted on top; a person has one role. */
const granted = (facts: Policy.PolicyInput, lacked: ReadonlyArray<Explanation.Fact>): Policy.PolicyInput => {
  const values = (kind: Explanation.Fact["kind"]) =>
    lacked.filter((fact) => fact.kind === kind).map(({ value }) => value)
  const [role] = values("role")
  const [place] = values("organization role")
  const ofMember = [...values("membership"), ...values("organization role"), ...values("permission")]
  const held = { role: "another", permissions: new Set<string>(), ...facts.organization }
  return {
    ...facts,
    role: role === undefined ? facts.role : Role.make(role),
    organization:
      ofMember.length === 0
        ? facts.organization
        : { role: place ?? held.role, permissions: new Set([...held.permissions, ...values("permission")]) },
    scopes: new Set([...facts.scopes, ...values("scope")])
  }
}

const allowed = (policy: Policy.Policy, facts: Policy.PolicyInput) => Policy.evaluate(policy, facts)._tag === "Allowed"
const asked = (policy: Policy.Policy, facts: Policy.PolicyInput) => ({ userId: "user_x", name: "paint", policy, facts })

describe("an explanation", () => {
  it.prop("says that somebody may exactly where the policy allows it", [AnyPolicy, AnyFacts], ([shape, some]) => {
    const [policy, facts] = [policyOf(shape), factsOf(some)]
    const { may, words } = Explanation.explain(asked(policy, facts))
    assert.strictEqual(may, allowed(policy, facts))
    assert.strictEqual(words.includes("may not"), !may)
  })

  it.prop(
    "names facts of which each set, once granted, changes the result, and none of a set could be left out",
    [AnyPolicy, AnyFacts],
    ([shape, some]) => {
      const [policy, facts] = [policyOf(shape), factsOf(some)]
      const { may, lacking, words } = Explanation.explain(asked(policy, facts))
      if (may) return assert.deepEqual(lacking, [[]])
      for (const set of lacking) {
        assert.isTrue(allowed(policy, granted(facts, set)))
        for (const fact of set) {
          assert.isFalse(
            allowed(
              policy,
              granted(
                facts,
                set.filter((each) => each !== fact)
              )
            )
          )
        }
      }
      if (lacking.length === 0) assert.include(words, "nobody may")
    }
  )

  it.prop("says that nobody may only where no facts help", [AnyPolicy, AnyFacts], ([shape, some]) => {
    const policy = policyOf(shape)
    if (Explanation.lacking(policy, factsOf({})).length > 0) return
    assert.isFalse(allowed(policy, factsOf(some)))
  })

  it("names the roles that would do, and the one that is there", () => {
    const policy = Policy.all(Policy.roles("admin", "premium", "image_generation"), Policy.scopes("images:generate"))
    const facts = factsOf({ scopes: ["mcp:tools"] })
    const member = { ...facts, role: Role.make("member"), scopes: new Set(["mcp:tools", "images:generate"]) }
    const question = { userId: "user_x", name: "generateImage", organization: "Acme", policy }
    assert.strictEqual(
      Explanation.explain({ ...question, facts: member }).words,
      "user_x may not use generateImage in organization Acme: it needs one of the roles admin, premium, image_generation, and the account's role is member."
    )
    assert.strictEqual(
      Explanation.explain({ ...question, facts }).words,
      "user_x may not use generateImage in organization Acme: it needs one of the roles admin, premium, image_generation and the scope images:generate, and the account has no role."
    )
    assert.strictEqual(
      Explanation.explain({ ...question, clientId: "the-client", facts: { ...facts, role: Role.make("admin") } }).words,
      "user_x may not use generateImage in organization Acme through client the-client yet. The connection of client the-client lacks the scope images:generate."
    )
    const admin = { ...member, role: Role.make("admin") }
    assert.strictEqual(
      Explanation.explain({ ...question, clientId: "the-client", facts: admin }).words,
      "user_x may use generateImage in organization Acme through client the-client."
    )
  })

  it("names what else would do, and says where nothing does", () => {
    const facts = factsOf({ scopes: ["mcp:tools"] })
    const words = (policy: Policy.Policy) => Explanation.explain(asked(policy, facts)).words
    assert.strictEqual(
      words(Policy.any(Policy.roles("admin"), Policy.permission("org:reports:read"))),
      "user_x may not use paint: it needs the role admin or the permission org:reports:read, and the account has no role."
    )
    assert.strictEqual(words(Policy.nobody), "user_x may not use paint: nobody may.")
    // An organization role is had by members only: membership alone would do.
    assert.strictEqual(
      words(Policy.any(Policy.organizationRole("org:admin"), Policy.inOrganization)),
      "user_x may not use paint: it needs to be for an organization."
    )
    // Nobody has two roles.
    assert.include(words(Policy.all(Policy.roles("admin"), Policy.roles("premium"))), "nobody may")
  })

  it("tells how a decision went", () => {
    assert.strictEqual(
      Explanation.told(decided({ policy: "forbidden", lacked: ["role admin", "role premium"], outcome: "refused" })),
      "user_ada sent tools/call paint through client the-client. The account lacked role admin or role premium. It ended after 5 ms: refused. Reference AAAA2222."
    )
    assert.include(Explanation.told(decided({ policy: "unknown", outcome: "refused" })), "Clerk did not answer")
  })
})
