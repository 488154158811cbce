import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import { CurrentOrganization, organizationOf } from "../../../src/server/access/CurrentOrganization.ts"
import { allowing, fromClerk, type Membership } from "../../../src/server/access/UserSnapshot.ts"
import { OrganizationId } from "../../../src/server/domain/Principal.ts"
import { clerkMemberships, clerkUser } from "../../../src/server/testing/TestUser.ts"
import { ada } from "../../support/People.ts"

const acme: Membership = {
  id: OrganizationId.make("org_acme"),
  slug: "acme",
  name: "Acme",
  role: "org:admin",
  permissions: ["org:a", "org:b"]
}
const globex: Membership = { ...acme, id: OrganizationId.make("org_globex"), slug: null, name: "Globex" }

describe("UserSnapshot", () => {
  it("tells Clerk's silence about memberships from none, and reads one that comes twice once", () => {
    const user = clerkUser({ locked: true })
    const [first] = clerkMemberships({ organizations: [{ name: "Acme" }] })
    assert.isNull(fromClerk(user, undefined, 0).memberships)
    assert.deepStrictEqual(fromClerk(user, [], 0).memberships, [])
    assert.isDefined(first)
    if (first === undefined) return
    const twice = fromClerk(user, [first, { ...first, permissions: null }], 0)
    assert.deepStrictEqual(
      twice.memberships?.map(({ name, permissions }) => [name, ...permissions]),
      [["Acme"]]
    )
    assert.isTrue(twice.locked)
  })

  it("compares what decides what a user may use, in any order, and nothing else", () => {
    const member = { ...ada, memberships: [acme, globex] }
    const same = [
      { ...member, memberships: [globex, acme], takenAt: 7, firstName: "A", locked: true },
      { ...member, memberships: [{ ...acme, name: "Acme Ltd", permissions: ["org:b", "org:a"] }, globex] }
    ]
    for (const other of same) assert.strictEqual(allowing(other), allowing(member))
    const different = [
      ada,
      { ...member, memberships: null },
      { ...member, memberships: [acme] },
      { ...member, memberships: [{ ...acme, role: "org:member" }, globex] },
      { ...member, memberships: [{ ...acme, permissions: ["org:a"] }, globex] },
      {
        ...member,
        memberships: [
          { ...acme, permissions: globex.permissions },
          { ...globex, permissions: [] }
        ]
      }
    ]
    for (const other of different) assert.notStrictEqual(allowing(other), allowing(member))
    assert.notStrictEqual(allowing({ ...ada, memberships: [] }), allowing({ ...ada, memberships: null }))
  })
})

describe("the organization of a grant", () => {
  const reasonFor = (memberships: ReadonlyArray<Membership> | null) =>
    Effect.map(Effect.flip(organizationOf({ ...ada, memberships }, acme.id)), ({ reason }) => reason)

  it.effect("is the user's place in it, or none for a personal account, whatever Clerk tells", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* organizationOf({ ...ada, memberships: [globex, acme] }, acme.id), acme)
      for (const memberships of [[acme], [], null]) {
        assert.isUndefined(yield* organizationOf({ ...ada, memberships }, undefined))
      }
    })
  )

  it.effect("is left for good where the user is in others, and unknown for now where Clerk does not tell", () =>
    Effect.gen(function* () {
      for (const memberships of [[globex], []]) {
        assert.strictEqual((yield* reasonFor(memberships))._tag, "OrganizationLeft")
      }
      const unknown = yield* reasonFor(null)
      assert.deepInclude(Object.assign({}, unknown), { _tag: "AccessUnknown", passes: false })
    })
  )

  it.effect("is there without matching where a policy demands it, and a defect where none does", () =>
    Effect.gen(function* () {
      const current = (place: Option.Option<Membership>) =>
        Effect.provideService(CurrentOrganization.required, CurrentOrganization, place)
      assert.strictEqual((yield* current(Option.some(acme))).name, "Acme")
      const exit = yield* Effect.exit(current(Option.none()))
      assert.include(String(exit), "add Policy.inOrganization to the policy")
    })
  )
})
