import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { Access, AccessError, AccessUnknown } from "../../../src/server/access/Access.ts"
import { ClerkSessionTokens } from "../../../src/server/access/ClerkSessionTokens.ts"
import { ClerkSessionEnded } from "../../../src/server/clerk/ClerkError.ts"
import type { Membership } from "../../../src/server/access/UserSnapshot.ts"
import { ClerkSessionId, OrganizationId, UserId } from "../../../src/server/domain/Principal.ts"
import { answerTo, GrantCheck } from "../../../src/server/oauth/GrantCheck.ts"
import { ada } from "../../support/People.ts"
import { testConfig } from "../../support/TestConfig.ts"

it.effect("a session that has ended ends the grant, also while Clerk does not say what the user may do", () =>
  Effect.gen(function* () {
    const { check } = yield* GrantCheck
    const grant = { userId: UserId.make("user_ada"), clerkSessionId: ClerkSessionId.make("sess_1") }
    const { reason } = yield* Effect.flip(check(grant))
    assert.strictEqual(reason._tag, "ClerkSessionEnded")
  }).pipe(
    Effect.provide(
      Layer.provide(GrantCheck.layer, [
        Layer.succeed(Access, {
          current: () =>
            Effect.fail(new AccessError({ reason: new AccessUnknown({ retryAfterSeconds: 1, passes: true }) }))
        }),
        Layer.mock(ClerkSessionTokens, { alive: () => Effect.fail(new ClerkSessionEnded()) }),
        testConfig()
      ])
    )
  )
)

describe("the organization of a grant", () => {
  const id = OrganizationId.make("org_acme")
  const acme: Membership = { id, slug: null, name: "Acme", role: "org:member", permissions: [] }
  const another = { ...acme, id: OrganizationId.make("org_globex") }
  type Setting = "optional" | "required" | "off"

  for (const [setting, organizationId, memberships, tag] of [
    ["optional", undefined, [], undefined],
    ["optional", undefined, [acme], undefined],
    ["optional", undefined, null, undefined],
    ["optional", id, [another, acme], undefined],
    ["optional", id, [another], "OrganizationLeft"],
    ["optional", id, [], "OrganizationLeft"],
    ["optional", id, null, "AccessUnknown"],
    ["required", id, [acme], undefined],
    ["required", undefined, [acme], "OrganizationRequired"],
    ["required", undefined, null, "OrganizationRequired"],
    ["off", undefined, [acme], undefined],
    ["off", id, [acme], "OrganizationsOff"],
    ["off", id, null, "OrganizationsOff"]
  ] as const satisfies ReadonlyArray<
    readonly [Setting, OrganizationId | undefined, ReadonlyArray<Membership> | null, string | undefined]
  >) {
    const grant = organizationId === undefined ? "a personal account" : "an organization"
    const known = memberships === null ? "untold" : memberships.map(({ id }) => id).join(" and ") || "none"
    it.effect(`${setting}, for ${grant}, member of ${known}: ${tag ?? "good"}`, () =>
      Effect.gen(function* () {
        const { check } = yield* GrantCheck
        const reason = yield* check({
          userId: ada.userId,
          ...(organizationId !== undefined && { organizationId })
        }).pipe(
          Effect.as(undefined),
          Effect.catchTag("GrantRefused", ({ reason }) => Effect.succeed(reason))
        )
        assert.strictEqual(reason?._tag, tag)
        if (reason === undefined) return
        const { bearer, error } = answerTo(reason)
        const forGood = tag !== "AccessUnknown"
        assert.strictEqual(error, forGood ? "invalid_grant" : "temporarily_unavailable")
        assert.strictEqual(bearer, forGood ? "revoked" : "served")
      }).pipe(
        Effect.provide(
          Layer.provide(GrantCheck.layer, [
            Layer.succeed(Access, { current: () => Effect.succeed({ ...ada, memberships }) }),
            Layer.mock(ClerkSessionTokens, {}),
            testConfig({ ORGANIZATIONS: setting })
          ])
        )
      )
    )
  }
})
