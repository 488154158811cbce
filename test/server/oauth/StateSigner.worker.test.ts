import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

import { StateSigner } from "../../../src/server/oauth/StateSigner.ts"
import { testConfig } from "../../support/TestConfig.ts"

const signer = StateSigner.layer.pipe(Layer.provide(testConfig()))

describe("signed states on the WebCrypto of workerd", () => {
  it.effect.prop(
    "come back as they were signed until they expire, and never changed",
    [Schema.String, Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10_000 }))],
    ([payload, position]) =>
      Effect.gen(function* () {
        const { sign, verify } = yield* StateSigner
        const signed = yield* sign("sign-in", payload, Duration.minutes(10))
        assert.strictEqual(yield* verify("sign-in", signed), payload)

        const at = position % signed.length
        const forged = signed.slice(0, at) + (signed[at] === "A" ? "B" : "A") + signed.slice(at + 1)
        assert.strictEqual((yield* Effect.flip(verify("sign-in", forged))).reason._tag, "StateForged")

        yield* TestClock.adjust("10 minutes")
        assert.strictEqual((yield* Effect.flip(verify("sign-in", signed))).reason._tag, "StateExpired")
      }).pipe(Effect.provide(signer))
  )
})
