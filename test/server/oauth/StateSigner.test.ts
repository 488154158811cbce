import { assert, describe, it, layer } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import { createHmac } from "node:crypto"

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

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url")
const decode = (part: string): unknown => JSON.parse(Buffer.from(part, "base64url").toString())

/** Signs whatever header and claims, with a key of the ring. */
const forge = (header: object, claims: object, key = fresh, hash = "sha256") => {
  const input = `${encode(header)}.${encode(claims)}`
  const secret = Buffer.from(key.slice(key.indexOf(":") + 1), "base64")
  return `${input}.${createHmac(hash, secret).update(input).digest("base64url")}`
}

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
      const header = encode({ alg: "HS256", kid: "2026", typ: "sign-in+jwt" })
      for (const signed of [
        text,
        `${header}.${text}`,
        `${header}.${text}.${text}`,
        `${header}.${btoa(encodeURI(text.toWellFormed()))}.`
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
        `${id}.${claims}.${tag}.${tag}.${tag}`,
        `${id}.${claims}.${tag}=`
      ]) {
        assert.strictEqual(yield* refusal(signed), "StateForged", signed)
      }
    })
  )

  it.effect("is a JWS of its purpose, with the key's id and the time when it expires", () =>
    Effect.gen(function* () {
      const [header = "", claims = ""] = (yield* sign("one")).split(".")
      assert.deepStrictEqual(decode(header), { alg: "HS256", kid: "2026", typ: "sign-in+jwt" })
      assert.deepStrictEqual(decode(claims), { payload: "one", exp: 600 })
    })
  )

  it.effect("honours HS256 by a key of the ring only, for its purpose, with a time when it expires", () =>
    Effect.gen(function* () {
      const header = { alg: "HS256", kid: "2026", typ: "sign-in+jwt" }
      const claims = { payload: "one", exp: 600 }
      assert.strictEqual(yield* refusal(forge(header, claims)), "honoured")
      assert.strictEqual(yield* refusal(forge({ ...header, kid: "2025" }, claims, old)), "honoured")
      const forgeries: Readonly<Record<string, string>> = {
        "alg none": forge({ ...header, alg: "none" }, claims),
        "alg none without a signature": forge({ ...header, alg: "none" }, claims).replace(/[^.]+$/u, ""),
        "alg HS512": forge({ ...header, alg: "HS512" }, claims, fresh, "sha512"),
        "alg HS384": forge({ ...header, alg: "HS384" }, claims, fresh, "sha384"),
        "alg RS256": forge({ ...header, alg: "RS256" }, claims),
        "no alg": forge({ kid: "2026", typ: "sign-in+jwt" }, claims),
        "an unknown kid": forge({ ...header, kid: "2024" }, claims),
        "no kid": forge({ alg: "HS256", typ: "sign-in+jwt" }, claims),
        "the kid of another key": forge({ ...header, kid: "2025" }, claims),
        "another purpose": forge({ ...header, typ: "question+jwt" }, claims),
        "no purpose": forge({ alg: "HS256", kid: "2026" }, claims),
        "no exp": forge(header, { payload: "one" }),
        "an exp that is no number": forge(header, { payload: "one", exp: "600" }),
        "no payload": forge(header, { exp: 600 }),
        "a crit that nobody knows": forge({ ...header, crit: ["b64"], b64: false }, claims)
      }
      for (const [why, forged] of Object.entries(forgeries)) {
        assert.strictEqual(yield* refusal(forged), "StateForged", why)
      }
      assert.strictEqual(yield* refusal(forge(header, { ...claims, exp: 0 })), "StateExpired")
      assert.strictEqual(
        yield* refusal(forge({ ...header, typ: "question+jwt" }, { ...claims, exp: 0 })),
        "StateForged"
      )
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
      const kids = [before, after].map((signed) => decode(signed.split(".")[0] ?? ""))
      assert.deepStrictEqual(kids, [
        { alg: "HS256", kid: "2025", typ: "sign-in+jwt" },
        { alg: "HS256", kid: "2026", typ: "sign-in+jwt" }
      ])
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
