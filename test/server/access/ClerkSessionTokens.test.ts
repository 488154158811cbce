import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"

import { ClerkSessionTokens } from "../../../src/server/access/ClerkSessionTokens.ts"
import { ClerkApi } from "../../../src/server/clerk/ClerkApi.ts"
import {
  ClerkError,
  ClerkMisconfigured,
  ClerkUnavailable,
  ClerkUnexpected,
  ClerkSessionEnded
} from "../../../src/server/clerk/ClerkError.ts"
import { KeepAlive } from "../../../src/server/config/KeepAlive.ts"
import { ClerkSessionId } from "../../../src/server/domain/Principal.ts"
import { unsigned } from "../../../src/server/testing/FakeClerk.ts"

const one = ClerkSessionId.make("sess_1")
const other = ClerkSessionId.make("sess_2")

/** Clerk, as far as it mints tokens: when it was asked, and what it answers the next times instead. */
class Mint {
  readonly askedAt: Array<number> = []
  readonly failures: Array<ClerkError["reason"]> = []
  latency: Effect.Effect<unknown> = Effect.void
  lifetime = 60
  forged: string | undefined

  readonly layer = Layer.mock(ClerkApi, {
    sessionToken: Effect.fnUntraced({ self: this }, function* (id: ClerkSessionId) {
      const now = yield* Clock.currentTimeMillis
      this.askedAt.push(now)
      yield* this.latency
      const reason = this.failures.shift()
      if (reason !== undefined) return yield* new ClerkError({ reason })
      const iat = Math.floor(now / 1_000)
      return Redacted.make(
        this.forged ?? unsigned({ sid: id, iat, exp: iat + this.lifetime, jti: String(this.askedAt.length) })
      )
    })
  })
}

const current = (id = one) => Effect.flatMap(ClerkSessionTokens, (tokens) => tokens.current(id))
const renewed = (refused: Redacted.Redacted, id = one) =>
  Effect.flatMap(ClerkSessionTokens, (tokens) => tokens.renewed(id, refused))
const alive = (id = one) => Effect.flatMap(ClerkSessionTokens, (tokens) => Effect.isSuccess(tokens.alive(id)))
const refusal = <A, R>(self: Effect.Effect<A, ClerkError, R>) =>
  Effect.map(Effect.flip(self), ({ reason }) => reason._tag)

const withMint = <A, E>(test: (mint: Mint) => Effect.Effect<A, E, ClerkSessionTokens>) =>
  Effect.suspend(() => {
    const mint = new Mint()
    return Effect.provide(test(mint), Layer.provide(ClerkSessionTokens.layer, mint.layer))
  })

const down = new ClerkUnavailable({ operation: "sessions.getToken", status: 503 })
const limited = (retryAfter: number) =>
  new ClerkUnavailable({ operation: "sessions.getToken", status: 429, retryAfter })

/** A question, and the virtual time that goes by until its answer. */
const asking = Effect.fnUntraced(function* <A, E, R>(question: Effect.Effect<A, E, R>, millis: number) {
  const fiber = yield* Effect.forkChild(question, { startImmediately: true })
  yield* TestClock.adjust(millis)
  return yield* Fiber.join(fiber)
})

describe("ClerkSessionTokens", () => {
  it.effect("mints once for twenty questions at the same time, and apart for another session", () =>
    withMint((mint) =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        mint.latency = Deferred.await(gate)
        const ids = [...Array.from({ length: 20 }, () => one), other]
        const questions = Effect.forEach(ids, (id) => current(id), { concurrency: "unbounded" })
        const fiber = yield* Effect.forkChild(questions, { startImmediately: true })
        yield* Effect.yieldNow
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual(new Set((yield* Fiber.join(fiber)).map(Redacted.value)).size, 2)
        assert.lengthOf(mint.askedAt, 2)
      })
    )
  )

  it.effect(
    "leaves the others their token when the one that asked is interrupted, and tells the host of its work",
    () =>
      Effect.gen(function* () {
        const mint = new Mint()
        const kept: Array<Promise<unknown>> = []
        const host = Layer.succeed(KeepAlive, (work) => void kept.push(work))
        yield* Effect.gen(function* () {
          const gate = yield* Deferred.make<void>()
          mint.latency = Deferred.await(gate)
          const first = yield* Effect.forkChild(current(), { startImmediately: true })
          const second = yield* Effect.forkChild(current(), { startImmediately: true })
          yield* Fiber.interrupt(first)
          yield* Deferred.succeed(gate, undefined)
          yield* Fiber.join(second)
          assert.lengthOf(mint.askedAt, 1)
          assert.lengthOf(kept, 1)
        }).pipe(Effect.provide(ClerkSessionTokens.layer.pipe(Layer.provide(mint.layer), Layer.provide(host))))
      })
  )

  for (const [lifetime, good] of [
    [60, 50_000],
    [600, 590_000],
    [20, 10_000],
    [6, 3_000]
  ] as const) {
    it.effect(`keeps a token that lives ${lifetime} s for ${good / 1_000} s`, () =>
      withMint((mint) =>
        Effect.gen(function* () {
          mint.lifetime = lifetime
          const first = yield* current()
          yield* TestClock.adjust(good - 1)
          assert.strictEqual(yield* current(), first)
          yield* TestClock.adjust(1)
          assert.notStrictEqual(Redacted.value(yield* current()), Redacted.value(first))
          assert.deepStrictEqual(mint.askedAt, [0, good])
        })
      )
    )
  }

  it.effect("replaces a refused token once, however many come with it, at the same time and later", () =>
    withMint((mint) =>
      Effect.gen(function* () {
        const refused = yield* current()
        const gate = yield* Deferred.make<void>()
        mint.latency = Deferred.await(gate)
        const questions = Effect.all([renewed(refused), renewed(refused), renewed(refused)], {
          concurrency: "unbounded"
        })
        const fiber = yield* Effect.forkChild(questions, { startImmediately: true })
        yield* Effect.yieldNow
        yield* Deferred.succeed(gate, undefined)
        const all = yield* Fiber.join(fiber)
        const late = yield* renewed(refused)
        assert.strictEqual(new Set([...all, late].map(Redacted.value)).size, 1)
        assert.notStrictEqual(Redacted.value(late), Redacted.value(refused))
        assert.strictEqual(yield* current(), late)
        assert.lengthOf(mint.askedAt, 2)
        // An app may refuse every token: Clerk is not asked each time.
        assert.strictEqual(yield* renewed(late), late)
        assert.lengthOf(mint.askedAt, 2)
        yield* TestClock.adjust("5 seconds")
        yield* renewed(late)
        assert.lengthOf(mint.askedAt, 3)
      })
    )
  )

  it.effect("replaces a refused token by one that is good yet, not by one that has expired since", () =>
    withMint((mint) =>
      Effect.gen(function* () {
        const refused = yield* current()
        yield* renewed(refused)
        yield* TestClock.adjust("61 seconds")
        yield* renewed(refused)
        assert.deepStrictEqual(mint.askedAt, [0, 0, 61_000])
      })
    )
  )

  for (const [what, reason, times] of [
    ["5xx", down, [0, 200, 600]],
    ["the network", new ClerkUnavailable({ operation: "sessions.getToken", code: "FetchError" }), [0, 200, 600]],
    ["429 without a time", new ClerkUnavailable({ operation: "sessions.getToken", status: 429 }), [0, 200, 600]],
    ["429 with a short time", limited(1), [0, 1_000, 2_000]]
  ] as const) {
    it.effect(`asks twice more after ${what}, and gets its token at the third attempt`, () =>
      withMint((mint) =>
        Effect.gen(function* () {
          mint.failures.push(reason, reason)
          yield* asking(current(), times[2])
          assert.deepStrictEqual(mint.askedAt, [...times])
        })
      )
    )

    it.effect(`gives up after the third ${what}, and does not call the session ended`, () =>
      withMint((mint) =>
        Effect.gen(function* () {
          mint.failures.push(reason, reason, reason)
          assert.strictEqual(yield* asking(refusal(current()), times[2]), "ClerkUnavailable")
          assert.deepStrictEqual(mint.askedAt, [...times])
        })
      )
    )
  }

  it.effect("leaves Clerk alone for 5 s after it gave up, then asks again", () =>
    withMint((mint) =>
      Effect.gen(function* () {
        mint.failures.push(down, down, down)
        yield* asking(refusal(current()), 600)
        yield* TestClock.adjust("4999 millis")
        assert.strictEqual(yield* refusal(current()), "ClerkUnavailable")
        assert.lengthOf(mint.askedAt, 3)
        yield* TestClock.adjust("1 millis")
        yield* current()
        assert.lengthOf(mint.askedAt, 4)
      })
    )
  )

  it.effect("leaves Clerk alone as long as Clerk asks for, also for a token that was refused", () =>
    withMint((mint) =>
      Effect.gen(function* () {
        const refused = yield* current()
        mint.failures.push(limited(30))
        assert.strictEqual(yield* refusal(renewed(refused)), "ClerkUnavailable")
        yield* TestClock.adjust("27 seconds")
        assert.strictEqual(yield* refusal(renewed(refused)), "ClerkUnavailable")
        assert.strictEqual(yield* refusal(current()), "ClerkUnavailable")
        assert.strictEqual(yield* refusal(current(other)), "ClerkUnavailable")
        assert.lengthOf(mint.askedAt, 2)
        // The rest is little enough to wait for.
        yield* TestClock.adjust("1 seconds")
        yield* asking(renewed(refused), 2_000)
        assert.deepStrictEqual(mint.askedAt, [0, 0, 30_000])
      })
    )
  )

  it.effect("believes no time over a minute", () =>
    withMint((mint) =>
      Effect.gen(function* () {
        mint.failures.push(limited(86_400))
        assert.strictEqual(yield* refusal(current()), "ClerkUnavailable")
        yield* TestClock.adjust("60 seconds")
        yield* current()
      })
    )
  )

  for (const reason of [
    new ClerkSessionEnded(),
    new ClerkMisconfigured({ operation: "sessions.getToken", status: 401 }),
    new ClerkUnexpected({ operation: "sessions.getToken", detail: "status 404" })
  ]) {
    it.effect(`passes ${reason._tag} on at once, and asks no more for 5 s`, () =>
      withMint((mint) =>
        Effect.gen(function* () {
          mint.failures.push(reason)
          assert.strictEqual(yield* refusal(current()), reason._tag)
          yield* TestClock.adjust("4999 millis")
          assert.strictEqual(yield* refusal(current()), reason._tag)
          assert.deepStrictEqual(mint.askedAt, [0])
        })
      )
    )
  }

  for (const forged of ["not a token", unsigned({ sid: "sess_1" }), unsigned({ iat: "0", exp: "60" })]) {
    it.effect(`hands out nothing without times: ${forged.slice(0, 12)}`, () =>
      withMint((mint) =>
        Effect.gen(function* () {
          mint.forged = forged
          assert.strictEqual(yield* refusal(current()), "ClerkUnexpected")
        })
      )
    )
  }

  it.effect("keeps one session's troubles from another", () =>
    withMint((mint) =>
      Effect.gen(function* () {
        mint.failures.push(new ClerkSessionEnded())
        assert.strictEqual(yield* refusal(current()), "ClerkSessionEnded")
        yield* current(other)
      })
    )
  )

  it.effect("calls an ended session ended also while Clerk answers nobody", () =>
    withMint((mint) =>
      Effect.gen(function* () {
        mint.failures.push(new ClerkSessionEnded(), limited(30))
        assert.isFalse(yield* alive())
        assert.isTrue(yield* alive(other))
        assert.isFalse(yield* alive())
        assert.strictEqual(yield* refusal(current()), "ClerkSessionEnded")
        assert.lengthOf(mint.askedAt, 2)
      })
    )
  )

  it.effect("serves the old token while it is good and there is no new one", () =>
    withMint((mint) =>
      Effect.gen(function* () {
        const old = yield* current()
        yield* TestClock.adjust("50 seconds")
        mint.failures.push(down, down, down)
        assert.strictEqual(yield* asking(current(), 600), old)
        yield* TestClock.adjust("5 seconds")
        mint.failures.push(new ClerkSessionEnded())
        assert.strictEqual(yield* refusal(current()), "ClerkSessionEnded")
      })
    )
  )

  it.effect("serves the old token no longer once it has expired", () =>
    withMint((mint) =>
      Effect.gen(function* () {
        const old = yield* current()
        yield* TestClock.adjust("50 seconds")
        mint.failures.push(limited(30))
        assert.strictEqual(yield* current(), old)
        yield* TestClock.adjust("9999 millis")
        assert.strictEqual(yield* current(), old)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* refusal(current()), "ClerkUnavailable")
      })
    )
  )

  it.effect("asks once a minute whether a session is alive, however long its tokens live", () =>
    withMint((mint) =>
      Effect.gen(function* () {
        mint.lifetime = 3_600
        assert.isTrue(yield* alive())
        yield* TestClock.adjust("59 seconds")
        assert.isTrue(yield* alive())
        assert.lengthOf(mint.askedAt, 1)
        yield* TestClock.adjust("1 seconds")
        mint.failures.push(new ClerkSessionEnded())
        assert.isFalse(yield* alive())
        assert.isFalse(yield* alive())
        assert.lengthOf(mint.askedAt, 2)
      })
    )
  )

  it.effect("takes a session for alive that Clerk does not speak about, after one question", () =>
    withMint((mint) =>
      Effect.gen(function* () {
        mint.failures.push(down, down)
        assert.isTrue(yield* alive())
        assert.isTrue(yield* alive())
        assert.lengthOf(mint.askedAt, 1)
        // A token that is needed is asked for all the same.
        yield* asking(current(), 200)
        assert.deepStrictEqual(mint.askedAt, [0, 0, 200])
      })
    )
  )

  it.effect("has doubts of a session about which Clerk has not spoken for 5 minutes, until it does", () =>
    withMint((mint) =>
      Effect.gen(function* () {
        assert.isTrue(yield* alive())
        mint.failures.push(...Array.from({ length: 70 }, () => down))
        yield* TestClock.adjust("60 seconds")
        for (let asked = 0; asked <= 300; asked += 10) {
          assert.isTrue(yield* alive(), `${asked} s`)
          yield* TestClock.adjust("10 seconds")
        }
        assert.isFalse(yield* alive())
        mint.failures.length = 0
        yield* TestClock.adjust("5 seconds")
        assert.isTrue(yield* alive())
        // What comes after an answer are doubts of their own.
        yield* TestClock.adjust("60 seconds")
        mint.failures.push(down)
        assert.isTrue(yield* alive())
      })
    )
  )

  for (const reason of [
    new ClerkUnexpected({ operation: "sessions.getToken", detail: "status 404" }),
    new ClerkMisconfigured({ operation: "sessions.getToken", status: 403 })
  ]) {
    it.effect(
      `takes a session for alive as long as Clerk only refuses its token, and asks once a minute: ${reason._tag}`,
      () =>
        withMint((mint) =>
          Effect.gen(function* () {
            mint.failures.push(...Array.from({ length: 10 }, () => reason))
            for (let minute = 0; minute < 10; minute++) {
              for (let time = 0; time < 6; time++) {
                assert.isTrue(yield* alive(), `${minute} min`)
                yield* TestClock.adjust("10 seconds")
              }
            }
            assert.lengthOf(mint.askedAt, 10)
            mint.failures.push(reason, new ClerkSessionEnded())
            assert.isTrue(yield* alive())
            yield* TestClock.adjust("60 seconds")
            assert.isFalse(yield* alive())
          })
        )
    )
  }

  it.effect("says of a session that cannot be checked whether trying again helps", () =>
    Effect.gen(function* () {
      for (const [reason, words] of [
        [down, "Please try again in a moment."],
        [
          new ClerkMisconfigured({ operation: "sessions.getSession", status: 401 }),
          "has to correct its Clerk settings."
        ]
      ] as const) {
        yield* withMint((mint) =>
          Effect.gen(function* () {
            mint.failures.push(...Array.from({ length: 70 }, () => reason))
            const tokens = yield* ClerkSessionTokens
            yield* tokens.alive(one)
            yield* TestClock.adjust("301 seconds")
            const unknown = yield* Effect.flip(tokens.alive(one))
            assert.match(unknown.message, new RegExp(`^Your session cannot be checked.*${words}$`, "u"))
          })
        )
      }
    })
  )

  const numbered = (number: number) => current(ClerkSessionId.make(`sess_n${number}`))

  it.effect("keeps 2000 sessions, and lets the one go that was used the longest ago", () =>
    withMint((mint) =>
      Effect.gen(function* () {
        for (let number = 0; number < 2_000; number++) yield* numbered(number)
        yield* numbered(0)
        assert.lengthOf(mint.askedAt, 2_000)
        yield* current(other)
        yield* numbered(0)
        assert.lengthOf(mint.askedAt, 2_001)
        yield* numbered(1)
        assert.lengthOf(mint.askedAt, 2_002)
      })
    )
  )

  it.effect("forgets first whose token is the oldest", () =>
    withMint((mint) =>
      Effect.gen(function* () {
        for (let number = 0; number < 2_000; number++) yield* numbered(number)
        yield* TestClock.adjust("50 seconds")
        yield* numbered(0)
        yield* current(other)
        assert.lengthOf(mint.askedAt, 2_002)
        yield* numbered(0)
        assert.lengthOf(mint.askedAt, 2_002)
      })
    )
  )
})
