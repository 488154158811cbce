import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

import { ClerkSessionTokens } from "../../src/server/access/ClerkSessionTokens.ts"
import { ClerkError } from "../../src/server/clerk/ClerkError.ts"
import { ClerkSessionId } from "../../src/server/domain/Principal.ts"
import { AppApi } from "../../src/server/capability/AppApi.ts"
import type { AppApiError } from "../../src/server/capability/AppApiError.ts"
import { UserGrants } from "../../src/server/capability/UserGrants.ts"
import { unsigned } from "../../src/server/testing/FakeClerk.ts"
import { fakeHttp, type networkDown } from "../../src/server/testing/FakeHttp.ts"
import { request } from "./People.ts"

export const appUrl = new URL("https://app.example.com")
const Greeting = Schema.Struct({ hello: Schema.String })
/** Stands in every answer that is refused. Nobody may be told of it. */
export const confidential = "what-only-the-app-knows"

export type Answer = Response | typeof networkDown

/** The app, Clerk's tokens and the person's connections, with what they were asked. */
export class World {
  readonly sent: Array<Request> = []
  readonly sentAt: Array<number> = []
  readonly answers: Array<Answer> = []
  readonly ended: Array<readonly [userId: string, grantId: string]> = []
  readonly log: Array<string> = []
  minted = 0
  refused: ReadonlyArray<string> = []
  noToken: ClerkError["reason"] | undefined
  /** What the next tokens say, each in its turn. The others are opaque. */
  claims: ReadonlyArray<object> = []
  latency: Effect.Effect<unknown> = Effect.void

  readonly #token = () =>
    Effect.suspend(() => {
      if (this.noToken !== undefined) return Effect.fail(new ClerkError({ reason: this.noToken }))
      this.minted += 1
      const [claims, ...others] = this.claims
      this.claims = others
      return Effect.succeed(Redacted.make(claims === undefined ? `token-${this.minted}` : unsigned(claims)))
    })

  readonly tokens = Layer.succeed(ClerkSessionTokens, {
    alive: () => Effect.void,
    current: this.#token,
    renewed: (_, token) => {
      this.refused = [...this.refused, Redacted.value(token)]
      return this.#token()
    }
  })

  readonly connections = Layer.mock(UserGrants, {
    end: (userId, grantId) => Effect.sync(() => void this.ended.push([userId, grantId]))
  })

  readonly http = fakeHttp((request) =>
    Effect.gen({ self: this }, function* () {
      this.sent.push(request)
      this.sentAt.push(yield* Clock.currentTimeMillis)
      yield* this.latency
      return this.answers.shift() ?? Response.json({ hello: "Ada" })
    })
  )

  readonly logger = Logger.layer([Logger.map(Logger.formatJson, (line) => void this.log.push(line))])
}

export const withSession = request({}, { clerkSessionId: ClerkSessionId.make("sess_1") })

export const call = (path: `/${string}` = "/api/me", query: Readonly<Record<string, string>> = {}) =>
  Effect.flatMap(AppApi, (app) => app.get(path, query, Greeting))

/** What the person is told; nothing of what the app said, in words or in the log. */
export const told = Effect.fnUntraced(function* <A, R>(world: World, question: Effect.Effect<A, AppApiError, R>) {
  const fiber = yield* Effect.forkChild(Effect.flip(question), { startImmediately: true })
  yield* TestClock.adjust("1 second")
  const error = yield* Fiber.join(fiber)
  const everything = [error.message, JSON.stringify(error), ...world.log].join("\n")
  for (const secret of [confidential, "token-", "sess_1"]) assert.notInclude(everything, secret)
  return error.message
})

export const inWorld = <A, E>(
  test: (world: World) => Effect.Effect<A, E, AppApi | Layer.Success<typeof withSession>>,
  as = withSession
) =>
  Effect.suspend(() => {
    const world = new World()
    const layer = AppApi.layerNoDeps(appUrl).pipe(
      Layer.provide([world.tokens, world.connections, world.http, SecureRandom.layerWebCrypto]),
      Layer.merge(as),
      Layer.merge(world.logger)
    )
    return Effect.provide(test(world), layer)
  })

/** What is told where the app and this server do not fit together. */
export const unfit = (problem: string) =>
  `The app did not answer as this server expects (${problem}). Its operator has to look into it.`

/** What is told where the app does not answer. */
export const unreachable = (problem: string) =>
  `The app cannot be reached right now (${problem}). Please try again in a moment.`
