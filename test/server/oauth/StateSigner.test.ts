import { assert, describe, it, layer } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

import { type Purpose, StateSigner } from "../../../src/server/oauth/StateSigner.ts"
import { testConfig } from "../../support/TestConfig.ts"

const old = `2025:${btoa("the key that was used until last night....")}`
const fresh = `2026:${btoa("the key that is used since this morning...")}`
const signerWith = (...keys: ReadonlyArray<string>) =>
  StateSigner.layer.pipe(Layer.provide(testConfig({ STATE_SIGNING_KEYS: keys.join(",") })))

const tenMinutes = Duration.minutes(10)
const sign = (payload: string) => Effect.flatMap(StateSigner, (signer) => signer.sign("sign-in", payload, tenMinutes))
const verify = (signed: string, purpose: Purpose = "sign-in") =>
  Effect.flatMap(StateSigner, (signer) => signer.verify(purpose, signed))
const refusal = (signed: string, purpose?: Purpose) =>
  Effect.match(verify(signed, purpose), {
    onFailure: ({ reason }) => reason._tag,
    onSuccess: () => "honoured" as const
  })

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

layer(signerWith(fresh, old))("StateSigner", (it) => {
  it.effect.prop("gives back what it signed", [Schema.String], ([payload]) =>
    Effect.gen(function* () {
      assert.strictEqual(yield* verify(yield* sign(payload)), payload)
    })
  )

  it.effect.prop(
    "notices a change of any one character",
    [Schema.String, Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 63 }))],
    ([payload, shift]) =>
      Effect.gen(function* () {
        const signed = yield* sign(payload)
        for (let index = 0; index < signed.length; index++) {
          const position = alphabet.indexOf(signed.charAt(index))
          const other = position < 0 ? "A" : alphabet.charAt((position + shift) % alphabet.length)
          const changed = signed.slice(0, index) + other + signed.slice(index + 1)
          assert.strictEqual(yield* refusal(changed), "StateForged", `character ${index} of ${signed}`)
        }
      }),
    { arbitrary: { runs: 20 } }
  )

  it.effect.prop("signs nothing by accident", [Schema.String], ([text]) =>
    Effect.gen(function* () {
      for (const signed of [
        text,
        `2026.${text}`,
        `2026.${text}.${text}`,
        `2026.${btoa(encodeURI(text.toWellFormed()))}.`
      ]) {
        assert.strictEqual(yield* refusal(signed), "StateForged")
      }
    })
  )

  it.effect("notices parts that were cut off, added or exchanged", () =>
    Effect.gen(function* () {
      const [id, claims, tag] = (yield* sign("one")).split(".")
      const [, otherClaims, otherTag] = (yield* sign("two")).split(".")
      for (const signed of [
        "",
        "..",
        `${id}.${claims}`,
        `${id}.${claims}.`,
        `${id}.${claims}.${tag}.`,
        `${id}.${claims}.${otherTag}`,
        `${id}.${otherClaims}.${tag}`,
        `2025.${claims}.${tag}`,
        `2024.${claims}.${tag}`,
        `${id}.${claims}.${tag}=`
      ]) {
        assert.strictEqual(yield* refusal(signed), "StateForged", signed)
      }
    })
  )

  it.effect("honours it for its own purpose only", () =>
    Effect.gen(function* () {
      const signed = yield* sign("one")
      // A second purpose, as the type will one day have it.
      assert.strictEqual(yield* refusal(signed, "another" as Purpose), "StateForged")
    })
  )

  it.effect("honours it for its lifetime, and says when it is over", () =>
    Effect.gen(function* () {
      const signed = yield* sign("one")
      yield* TestClock.adjust("599999 millis")
      assert.strictEqual(yield* verify(signed), "one")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* refusal(signed), "StateExpired")
    })
  )

  it.effect("derives one secret for each mechanism, which tells nothing of the key", () =>
    Effect.gen(function* () {
      const signer = yield* StateSigner
      const secret = Redacted.value(yield* signer.secretFor("one"))
      assert.match(secret, /^[A-Za-z0-9_-]{43}$/u)
      assert.strictEqual(Redacted.value(yield* signer.secretFor("one")), secret)
      assert.notStrictEqual(Redacted.value(yield* signer.secretFor("two")), secret)
    })
  )
})

describe("StateSigner with another key ring", () => {
  const signedBy = (...keys: ReadonlyArray<string>) => Effect.provide(sign("one"), signerWith(...keys))

  it.effect("signs with the first key and verifies with every key of the ring", () =>
    Effect.gen(function* () {
      const before = yield* signedBy(old)
      const after = yield* signedBy(fresh, old)
      assert.isTrue(before.startsWith("2025."))
      assert.isTrue(after.startsWith("2026."))
      for (const signed of [before, after]) {
        assert.strictEqual(yield* Effect.provide(verify(signed), signerWith(fresh, old)), "one")
      }
    })
  )

  it.effect("honours nothing of a key that has left the ring, whatever took its name", () =>
    Effect.gen(function* () {
      const signed = yield* signedBy(old)
      assert.strictEqual(yield* Effect.provide(refusal(signed), signerWith(fresh)), "StateForged")
      const renamed = fresh.replace("2026:", "2025:")
      assert.strictEqual(yield* Effect.provide(refusal(signed), signerWith(renamed)), "StateForged")
    })
  )
})
