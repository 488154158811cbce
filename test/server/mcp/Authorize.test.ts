import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"

import { Access, AccessError, AccessUnknown, AccountClosed } from "../../../src/server/access/Access.ts"
import { CurrentUser } from "../../../src/server/access/CurrentUser.ts"
import * as Policy from "../../../src/server/access/Policy.ts"
import { CurrentPrincipal } from "../../../src/server/domain/Principal.ts"
import { Role } from "../../../src/server/domain/Role.ts"
import * as Authorize from "../../../src/server/mcp/Authorize.ts"
import { ada, principal } from "../../support/People.ts"

const knows = (role: string | null) =>
  Layer.succeed(Access, { current: () => Effect.succeed({ ...ada, role: role === null ? null : Role.make(role) }) })
const failing = (reason: AccessUnknown | AccountClosed) =>
  Layer.succeed(Access, { current: () => Effect.fail(new AccessError({ reason })) })

const metadata = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
const sent = (...scopes: ReadonlyArray<string>) => Authorize.toAuthInfo(principal(...scopes), metadata)
const images = Policy.all(Policy.roles("admin", "premium"), Policy.scopes("paint:use"))

const who = Effect.gen(function* () {
  return { user: yield* CurrentUser, principal: yield* CurrentPrincipal }
})

describe("Authorize", () => {
  it.effect("runs what the policy allows, with the caller's services", () =>
    Effect.gen(function* () {
      const admitted = yield* Authorize.authorize(images, sent("mcp:tools", "paint:use"), who)
      assert.deepStrictEqual(admitted, { user: ada, principal: principal("mcp:tools", "paint:use") })
    }).pipe(Effect.provide(knows("admin")))
  )

  it.effect("names the roles that would do, and runs nothing, where the role is lacking", () =>
    Effect.gen(function* () {
      let ran = false
      const error = yield* Effect.flip(
        Authorize.authorize(
          images,
          sent("mcp:tools", "paint:use"),
          Effect.sync(() => (ran = true))
        )
      )
      assert.isFalse(ran)
      assert.deepInclude(Object.assign({}, error), {
        _tag: "NotPermitted",
        lacking: "role",
        needs: ["role admin", "role premium"]
      })
      assert.strictEqual(error.message, "Your account may not use this. It needs one of: role admin, role premium.")
    }).pipe(Effect.provide(knows(null)))
  )

  it.effect("names the scopes, all of them, where one is lacking", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Authorize.authorize(images, sent("mcp:tools"), who))
      assert.deepInclude(Object.assign({}, error), {
        _tag: "NotPermitted",
        lacking: "scope",
        needs: ["mcp:tools", "paint:use"]
      })
      assert.include(error.message, "mcp:tools, paint:use")
    }).pipe(Effect.provide(knows("premium")))
  )

  it.effect("says that nobody may, where nobody may", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Authorize.authorize(Policy.nobody, sent("mcp:tools"), who))
      assert.strictEqual(error.message, "Nobody may use this.")
    }).pipe(Effect.provide(knows("admin")))
  )

  for (const reason of [
    new AccessUnknown({ retryAfterSeconds: 5, passes: true }),
    new AccountClosed({ deleted: false })
  ]) {
    it.effect(`refuses, lists nothing and asks for no other token: ${reason._tag}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Authorize.authorize(Policy.signedIn, sent("mcp:tools"), who))
        assert.strictEqual(error._tag, "AccessError")
        assert.strictEqual(error.message, reason.message)
        const items = [{ policy: Policy.signedIn }]
        assert.strictEqual((yield* Effect.flip(Authorize.visible(items, sent("mcp:tools"))))._tag, "AccessError")
        assert.isUndefined(yield* Authorize.challenge(images, sent("mcp:tools")))
      }).pipe(Effect.provide(failing(reason)))
    )
  }

  it.effect("asks to step up for the scopes that are lacking, and for nothing else", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Authorize.challenge(images, sent("mcp:tools")), {
        scopes: ["mcp:tools", "paint:use"]
      })
      assert.isUndefined(yield* Authorize.challenge(images, sent("mcp:tools", "paint:use")))
      assert.isUndefined(yield* Authorize.challenge(Policy.signedIn, sent("mcp:tools")))
    }).pipe(Effect.provide(knows("admin")))
  )

  it.effect("asks nobody to step up whose role would not do anyway", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* Authorize.challenge(images, sent("mcp:tools")))
    }).pipe(Effect.provide(knows("guest")))
  )

  it.effect("shows what the role allows, whether or not the token does yet", () =>
    Effect.gen(function* () {
      const items = [
        { name: "everybody's", policy: Policy.signedIn },
        { name: "images", policy: images },
        { name: "nobody's", policy: Policy.nobody }
      ]
      const names = Effect.map(Authorize.visible(items, sent("mcp:tools")), (seen) => seen.map(({ name }) => name))
      assert.deepStrictEqual(yield* Effect.provide(names, knows("admin")), ["everybody's", "images"])
      assert.deepStrictEqual(yield* Effect.provide(names, knows("guest")), ["everybody's"])
    })
  )

  it.effect("does not run without a principal, and hands no token on", () =>
    Effect.gen(function* () {
      const forged = { ...sent("mcp:tools"), extra: { principal: { userId: "user_ada" } } }
      for (const authInfo of [undefined, forged, { ...forged, extra: {} }]) {
        assert.isTrue(Exit.hasDies(yield* Effect.exit(Authorize.authorize(Policy.signedIn, authInfo, who))))
      }
      assert.strictEqual(sent("mcp:tools").token, "")
    }).pipe(Effect.provide(knows("admin")))
  )
})
