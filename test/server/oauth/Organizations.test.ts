import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import type { Membership } from "../../../src/server/access/UserSnapshot.ts"
import { ClientId, GrantId, OrganizationId } from "../../../src/server/domain/Principal.ts"
import type { Grant } from "../../../src/server/oauth/UserAuthorities.ts"
import { nameOf, type Place, placesOf, proposalOf } from "../../../src/server/oauth/Organizations.ts"
import { ada } from "../../support/People.ts"

const member = (id: string): Membership => ({
  id: OrganizationId.make(id),
  slug: null,
  name: id,
  role: "org:member",
  permissions: []
})
const [acme, globex] = [member("org_acme"), member("org_globex")]

describe("what a connection can be for", () => {
  const table = [
    ["optional", null, ["personal"]],
    ["optional", [], ["personal"]],
    ["optional", [acme], ["org_acme"]],
    ["optional", [globex, acme], ["org_globex", "org_acme", "personal"]],
    ["required", null, "AccessUnknown"],
    ["required", [], "OrganizationRequired"],
    ["required", [acme], ["org_acme"]],
    ["required", [acme, globex], ["org_acme", "org_globex"]],
    ["off", null, ["personal"]],
    ["off", [acme, globex], ["personal"]]
  ] as const
  for (const [setting, memberships, expected] of table) {
    const known = memberships === null ? "untold" : memberships.map(nameOf).join(" and ") || "none"
    it.effect(`${setting}, member of ${known}: ${String(expected)}`, () =>
      Effect.gen(function* () {
        const found = yield* placesOf(setting, { ...ada, memberships }).pipe(
          Effect.match({ onSuccess: (places) => places.map(nameOf), onFailure: ({ reason }) => reason._tag })
        )
        assert.deepStrictEqual(found, typeof expected === "string" ? expected : [...expected])
      })
    )
  }
})

describe("what is proposed", () => {
  const grant = (createdAt: number, organizationId?: OrganizationId): Grant => ({
    id: GrantId.make(`grant${createdAt}`),
    clientId: ClientId.make("client"),
    scopes: [],
    createdAt,
    usedAt: createdAt,
    ...(organizationId !== undefined && { organizationId })
  })
  const places = [acme, globex, undefined] as const satisfies readonly [Place, ...Array<Place>]
  const left = OrganizationId.make("org_left")

  it.each([
    ["what is open where the person signed in", globex.id, [grant(1)], "org_globex"],
    ["what the newest connection is for", undefined, [grant(1, acme.id), grant(3, globex.id), grant(2)], "org_globex"],
    ["the personal account, if the newest is for that", undefined, [grant(1, globex.id), grant(2)], "personal"],
    ["nothing that was left", left, [grant(2, left), grant(1, globex.id)], "org_globex"],
    ["the first, where nothing is known", undefined, [], "org_acme"]
  ])("%s", (_, open, grants, proposed) => {
    assert.strictEqual(proposalOf(places, open, grants), proposed)
  })

  it("is no personal account where there is none to choose", () => {
    assert.strictEqual(proposalOf([acme, globex], undefined, [grant(2), grant(1, globex.id)]), "org_globex")
  })
})
