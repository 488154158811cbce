import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

import { ClerkStandIn } from "../../../dev/clerk/ClerkStandIn.ts"
import type { Fault } from "../../../dev/clerk/Faults.ts"
import { ClerkApi } from "../../../src/server/clerk/ClerkApi.ts"
import type { ClerkError } from "../../../src/server/clerk/ClerkError.ts"
import { ClerkSessionId, UserId } from "../../../src/server/domain/Principal.ts"
import * as Log from "../../../src/server/observability/Log.ts"
import { testConfig } from "../../support/TestConfig.ts"

/** The service in an isolate of its own, pointed at the running stand-in. */
const isolate = Layer.unwrap(
  Effect.map(ClerkStandIn, ({ settings, url }) =>
    Layer.fresh(ClerkApi.layer).pipe(
      Layer.provide(
        Layer.fresh(testConfig({ CLERK_SECRET_KEY: settings.CLERK_SECRET_KEY, CLERK_API_URL: url, APP_URL: url }))
      )
    )
  )
)

/** What became of a call: the tag of its failure, or the answer itself. */
const outcome = <A>(call: Effect.Effect<A, ClerkError>) =>
  Effect.match(call, { onFailure: ({ reason }): unknown => reason._tag, onSuccess: (answer): unknown => answer })

/** Every call of the Backend API that there is, and how each meets a fault. */
const calls = ["user", "memberships", "lastSession", "sessionUser", "sessionToken"] as const
type Outcomes = Readonly<Record<(typeof calls)[number], unknown>>

const everyCall = Effect.fnUntraced(function* (effect?: Fault["effect"]) {
  const { admin, users } = yield* ClerkStandIn
  yield* admin.reset
  const { id } = yield* admin.createSession(users.admin.id)
  const clerk = yield* ClerkApi
  const [userId, sessionId] = [UserId.make(users.admin.id), ClerkSessionId.make(id)]
  const outcomes = new Map<string, unknown>()
  for (const name of calls) {
    // A token is refused, and the question whether its session is alive is answered.
    const method = name === "sessionToken" ? "POST" : "GET"
    if (effect !== undefined) yield* admin.addFault({ path: "/v1/", method, effect })
    const call =
      name === "user" || name === "memberships" || name === "lastSession" ? clerk[name](userId) : clerk[name](sessionId)
    outcomes.set(name, yield* outcome<unknown>(call))
  }
  return Object.fromEntries(outcomes) as Outcomes
})

const wrong = (tag: string): Outcomes => ({
  user: tag,
  memberships: tag,
  lastSession: tag,
  sessionUser: tag,
  sessionToken: tag
})
const refusedFor = (tag: string): Outcomes => ({ ...wrong(tag), memberships: undefined, lastSession: undefined })

const refused = (status: number, code: string): Fault["effect"] => ({ kind: "refused", status, code })

const table: ReadonlyArray<readonly [effect: Fault["effect"], outcomes: Outcomes]> = [
  [refused(401, "clerk_key_invalid"), wrong("ClerkMisconfigured")],
  [refused(401, "authentication_invalid"), wrong("ClerkMisconfigured")],
  [refused(403, "organization_not_enabled_in_instance"), refusedFor("ClerkMisconfigured")],
  [refused(403, "authorization_invalid"), refusedFor("ClerkMisconfigured")],
  [refused(400, "request_invalid"), refusedFor("ClerkUnexpected")],
  [refused(402, "payment_required"), refusedFor("ClerkUnexpected")],
  [refused(404, "something_else"), refusedFor("ClerkUnexpected")],
  [
    refused(404, "resource_not_found"),
    { ...refusedFor("ClerkUnexpected"), user: "UserNotFound", sessionUser: "ClerkSessionEnded" }
  ],
  [refused(410, "deprecated_endpoint"), refusedFor("ClerkUnexpected")],
  [refused(422, "form_param_value_invalid"), refusedFor("ClerkUnexpected")],
  [refused(429, "too_many_requests"), wrong("ClerkUnavailable")],
  [refused(500, "internal_clerk_error"), wrong("ClerkUnavailable")],
  [refused(503, "service_unavailable"), wrong("ClerkUnavailable")],
  [{ kind: "malformed_json" }, wrong("ClerkUnavailable")]
]

/** The lines that are logged, in an isolate that has said nothing yet. */
const logged = <A, E, R>(test: (lines: ReadonlyArray<string>) => Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const logger = Logger.layer([Logger.map(Logger.formatJson, (line) => void lines.push(line))])
    return test(lines).pipe(
      Effect.provide(Layer.provideMerge(isolate, Layer.fresh(logger))),
      Effect.provideService(Log.Said, new Set<string>())
    )
  })

layer(ClerkStandIn.layer({ port: 0 }))("calls that Clerk refuses", (it) => {
  for (const [effect, expected] of table) {
    const what = effect.kind === "refused" ? `${effect.status} ${effect.code}` : effect.kind
    it.effect(`${what}: costs what the call is for, and only what may pass by itself is unavailable`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* everyCall(effect), expected)
      }).pipe(Effect.provide(isolate))
    )
  }

  it.effect("knows no memberships where Organizations are off, and says once what to switch on", () =>
    logged((lines) =>
      Effect.gen(function* () {
        const { admin, users } = yield* ClerkStandIn
        yield* admin.reset
        yield* admin.setFeatures({ organizations: false })
        const clerk = yield* ClerkApi
        for (const { id } of [users.admin, users.member, users.admin]) {
          assert.isUndefined(yield* clerk.memberships(UserId.make(id)))
          assert.strictEqual(String((yield* clerk.user(UserId.make(id))).id), id)
        }
        assert.lengthOf(lines, 1)
        assert.include(lines[0], '"level":"INFO"')
        assert.include(lines[0], "Organizations are off in Clerk: switch them on")
        yield* admin.setFeatures({ organizations: true })
        assert.strictEqual((yield* clerk.memberships(UserId.make(users.admin.id)))?.length, 1)
      })
    )
  )

  it.effect("says once that a list is refused, with Clerk's status and code, and whatever else is refused", () =>
    logged((lines) =>
      Effect.gen(function* () {
        for (let time = 0; time < 3; time++) yield* everyCall(refused(403, "authorization_invalid"))
        assert.lengthOf(lines, 2)
        for (const line of lines) {
          assert.include(line, '"level":"WARN"')
          assert.include(line, "CLERK_SECRET_KEY")
          assert.include(line, '"authorization_invalid"')
          assert.notMatch(line, /user_|sess_|sk_test/u)
        }
      })
    )
  )
})
