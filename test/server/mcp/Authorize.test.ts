import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

import { AccessUnknown } from "../../../src/server/access/Access.ts"
import type { Facts } from "../../../src/server/access/Caller.ts"
import { CurrentUser } from "../../../src/server/access/CurrentUser.ts"
import * as Policy from "../../../src/server/access/Policy.ts"
import { CurrentPrincipal } from "../../../src/server/domain/Principal.ts"
import { Role } from "../../../src/server/domain/Role.ts"
import * as Authorize from "../../../src/server/mcp/Authorize.ts"
import { ada, principal } from "../../support/People.ts"

const knowing = (role: string | null): Facts => ({
  _tag: "Known",
  user: { ...ada, role: role === null ? null : Role.make(role) }
})

const metadata = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
/** A request by a token with these scopes, of a user of whom these facts are known. */
const sent = (facts: Facts, ...scopes: ReadonlyArray<string>) =>
  Authorize.toAuthInfo({ principal: principal(...scopes), facts }, metadata)
const images = Policy.all(Policy.roles("admin", "premium"), Policy.scopes("paint:use"))

const who = Effect.gen(function* () {
  return { user: yield* CurrentUser, principal: yield* CurrentPrincipal }
})

describe("Authorize", () => {
  it.effect("runs what the policy allows, with the caller's services", () =>
    Effect.gen(function* () {
      const admitted = yield* Authorize.authorize(images, sent(knowing("admin"), "mcp:tools", "paint:use"), who)
      assert.deepStrictEqual(admitted, { user: ada, principal: principal("mcp:tools", "paint:use") })
    })
  )

  it.effect("names the roles that would do, and runs nothing, where the role is lacking", () =>
    Effect.gen(function* () {
      let ran = false
      const error = yield* Effect.flip(
        Authorize.authorize(
          images,
          sent(knowing(null), "mcp:tools", "paint:use"),
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
    })
  )

  it.effect("names what lacks and not what is there, each way for itself, and to the record the scopes as well", () =>
    Effect.gen(function* () {
      const refusal = Effect.fnUntraced(function* (
        policy: Policy.Policy,
        role: string | null,
        ...scopes: Array<string>
      ) {
        const lacked: Array<string> = []
        const { message, ...error } = yield* Authorize.authorize(policy, sent(knowing(role), ...scopes), who).pipe(
          Effect.provideService(Authorize.Judged, (judgement) => void lacked.push(...judgement.lacked)),
          Effect.flip
        )
        return { message, lacked, kind: "lacking" in error ? error.lacking : undefined }
      })
      const reading = Policy.permission("org:reports:read")
      assert.deepStrictEqual(yield* refusal(Policy.roles("admin"), null, "mcp:tools"), {
        message: "Your account may not use this. It needs role admin.",
        lacked: ["role admin"],
        kind: "role"
      })
      const permitted = "permission org:reports:read in your organization"
      assert.deepStrictEqual(yield* refusal(Policy.all(Policy.roles("admin"), reading), "admin", "mcp:tools"), {
        message: `Your account may not use this. It needs ${permitted}.`,
        lacked: [permitted],
        kind: "permission"
      })
      assert.deepStrictEqual(yield* refusal(Policy.all(images, reading), null, "mcp:tools"), {
        message: `Your account may not use this. It needs one of: role admin and ${permitted}, role premium and ${permitted}.`,
        lacked: [`role admin, scope paint:use and ${permitted}`, `role premium, scope paint:use and ${permitted}`],
        kind: "role"
      })
      assert.deepStrictEqual(yield* refusal(Policy.inOrganization, "admin", "mcp:tools"), {
        message: "Your account may not use this. It needs a connection for an organization.",
        lacked: ["a connection for an organization"],
        kind: "permission"
      })
      assert.strictEqual(
        (yield* refusal(Policy.signedIn, "admin")).message,
        "This connection lacks a permission. It needs the scope mcp:tools."
      )
    })
  )

  it.effect("names the scopes, all of them, where one is lacking", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Authorize.authorize(images, sent(knowing("premium"), "mcp:tools"), who))
      assert.deepInclude(Object.assign({}, error), {
        _tag: "NotPermitted",
        lacking: "scope",
        needs: ["mcp:tools", "paint:use"]
      })
      assert.include(error.message, "mcp:tools, paint:use")
    })
  )

  it.effect("says that nobody may, where nobody may", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Authorize.authorize(Policy.nobody, sent(knowing("admin"), "mcp:tools"), who))
      assert.strictEqual(error.message, "Nobody may use this.")
    })
  )

  for (const passes of [true, false]) {
    it.effect(`refuses, lists nothing and asks for no other token where nothing is known, passes: ${passes}`, () =>
      Effect.gen(function* () {
        const asked = sent({ _tag: "Unknown", retryAfterSeconds: 5, passes }, "mcp:tools")
        const error = yield* Effect.flip(Authorize.authorize(Policy.signedIn, asked, who))
        assert.strictEqual(error._tag, "AccessError")
        assert.strictEqual(error.message, new AccessUnknown({ retryAfterSeconds: 5, passes }).message)
        const items = [{ policy: Policy.signedIn }]
        assert.strictEqual((yield* Effect.flip(Authorize.visible(items, asked)))._tag, "AccessError")
        assert.isUndefined(yield* Authorize.challenge(images, asked))
      })
    )
  }

  it.effect("asks to step up for the scopes that are lacking, and for nothing else", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Authorize.challenge(images, sent(knowing("admin"), "mcp:tools")), {
        scopes: ["mcp:tools", "paint:use"]
      })
      assert.isUndefined(yield* Authorize.challenge(images, sent(knowing("admin"), "mcp:tools", "paint:use")))
      assert.isUndefined(yield* Authorize.challenge(Policy.signedIn, sent(knowing("admin"), "mcp:tools")))
    })
  )

  it.effect("asks nobody to step up whose role would not do anyway", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* Authorize.challenge(images, sent(knowing("guest"), "mcp:tools")))
    })
  )

  it.effect("shows what the role allows, whether or not the token does yet", () =>
    Effect.gen(function* () {
      const items = [
        { name: "everybody's", policy: Policy.signedIn },
        { name: "images", policy: images },
        { name: "nobody's", policy: Policy.nobody }
      ]
      const names = (role: string) =>
        Effect.map(Authorize.visible(items, sent(knowing(role), "mcp:tools")), (seen) => seen.map(({ name }) => name))
      assert.deepStrictEqual(yield* names("admin"), ["everybody's", "images"])
      assert.deepStrictEqual(yield* names("guest"), ["everybody's"])
    })
  )

  it.effect("does not run without a principal, and hands no token on", () =>
    Effect.gen(function* () {
      const forged = { ...sent(knowing("admin"), "mcp:tools"), extra: { principal: { userId: "user_ada" } } }
      for (const authInfo of [undefined, forged, { ...forged, extra: {} }]) {
        assert.isTrue(Exit.hasDies(yield* Effect.exit(Authorize.authorize(Policy.signedIn, authInfo, who))))
      }
      assert.strictEqual(sent(knowing("admin"), "mcp:tools").token, "")
    })
  )
})
