import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { Access } from "../../../src/server/access/Access.ts"
import { ClerkSessionTokens } from "../../../src/server/access/ClerkSessionTokens.ts"
import { ClerkSessionId, type GrantProps, OrganizationId, UserId } from "../../../src/server/domain/Principal.ts"
import * as AuthorizationServer from "../../../src/server/oauth/AuthorizationServer.ts"
import { Grants } from "../../../src/server/oauth/Grants.ts"
import { OAuthEndpoints } from "../../../src/server/oauth/OAuthEndpoints.ts"
import { StateSigner } from "../../../src/server/oauth/StateSigner.ts"
import { FakeAccounts } from "../../../src/server/testing/FakeAccounts.ts"
import { FakeClerk } from "../../../src/server/testing/FakeClerk.ts"
import { MemoryKv } from "../../../src/server/testing/MemoryKv.ts"
import { authorizationRequest, Visitor } from "../../../src/server/testing/Visitor.ts"
import { testConfig } from "../../support/TestConfig.ts"

const userId = UserId.make("user_ada")

/** The grants of Ada once these were made, and whom the organizations were told of. */
const made = (...subjects: ReadonlyArray<GrantProps & { readonly organizationId?: OrganizationId }>) => {
  const accounts = new FakeAccounts()
  const around = Layer.mergeAll(StateSigner.layer, Access.layer, ClerkSessionTokens.layer, accounts.layer)
  const outside = Layer.mergeAll(new FakeClerk({ id: userId }).layer, new MemoryKv().layer, testConfig())
  return Effect.gen(function* () {
    const endpoints = yield* OAuthEndpoints
    const grants = yield* Grants
    const run = Effect.runPromiseWith(yield* Effect.context())
    const clientId = yield* Effect.promise(() => new Visitor((request) => run(endpoints.answer(request))).register())
    const parameters = new URLSearchParams(yield* Effect.promise(() => authorizationRequest(clientId)))
    const request = new Request(`https://mcp.example.com/authorize?${parameters.toString()}`)
    for (const subject of subjects) yield* grants.complete(yield* endpoints.parse(request), subject)
    return { grants: yield* grants.list(userId), members: accounts.members }
  }).pipe(Effect.provide(AuthorizationServer.layer.pipe(Layer.provide(around), Layer.provide(outside))))
}

describe("a grant", () => {
  it.effect("is listed with what it depends on, and its organization is told of the user", () =>
    Effect.gen(function* () {
      const [clerkSessionId, organizationId] = [ClerkSessionId.make("sess_ofAda"), OrganizationId.make("org_acme")]
      const { grants, members } = yield* made({ userId }, { userId, clerkSessionId }, { userId, organizationId })
      const known = grants.map((grant) => `${grant.clerkSessionId} ${grant.organizationId}`)
      assert.sameMembers(known, ["undefined undefined", "sess_ofAda undefined", "undefined org_acme"])
      assert.deepEqual(members, ["org_acme user_ada"])
    })
  )
})
