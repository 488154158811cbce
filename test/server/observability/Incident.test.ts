import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as TestConsole from "effect/testing/TestConsole"

import { ClerkUnavailable } from "../../../src/server/clerk/ClerkError.ts"
import { StorageUnavailable } from "../../../src/server/oauth/AuthorizationFailure.ts"
import * as Incident from "../../../src/server/observability/Incident.ts"
import * as Log from "../../../src/server/observability/Log.ts"

interface Line {
  readonly level: string
  readonly message: unknown
  readonly annotations: Readonly<Record<string, unknown>>
}

/** The lines that the effect writes, read back as the JSON that they have to be. */
const logged = <E>(effect: Effect.Effect<string, E>) =>
  Effect.gen(function* () {
    const reference = yield* effect
    const lines = (yield* TestConsole.logLines).map(String)
    assert.isAbove(lines.length, 0)
    for (const line of lines) assert.notInclude(line, "\n")
    return { reference, text: lines.join("\n"), lines: lines.map((line) => JSON.parse(line) as Line) }
  }).pipe(Effect.provide(Log.layer))

const annotationsOf = (lines: ReadonlyArray<Line>) => lines.at(-1)?.annotations ?? {}

const Secret = Schema.String.check(Schema.isPattern(/^[a-z]{12,20}$/u))

describe("Incident", () => {
  it.effect.prop("tells a reference that a person can read out", [Schema.Null], () =>
    Effect.gen(function* () {
      assert.match(yield* Incident.reference, /^[23456789ABCDEFGHJKLMNPQRSTUVWXYZ]{8}$/u)
    })
  )

  it.effect("tells another reference each time", () =>
    Effect.gen(function* () {
      const references = yield* Effect.replicateEffect(Incident.reference, 200)
      assert.strictEqual(new Set(references).size, 200)
    })
  )

  it.effect("logs what is known of a typed failure, under the reference that it returns", () =>
    Effect.gen(function* () {
      const failure = new ClerkUnavailable({ operation: "users.getUser", status: 429, retryAfter: 7 })
      const { reference, lines } = yield* logged(Incident.note("Something failed", failure))
      assert.strictEqual(lines.length, 1)
      assert.deepInclude(lines[0], { level: "WARN", message: "Something failed" })
      assert.deepStrictEqual(lines[0]?.annotations, {
        reference,
        reason: "ClerkUnavailable",
        operation: "users.getUser",
        status: 429,
        retryAfter: 7
      })
    })
  )

  it.effect.prop("notes where a cause came from, never its words", [Secret], ([secret]) =>
    Effect.gen(function* () {
      for (const cause of [new TypeError(`no such key: ${secret}`), secret, { message: secret, name: secret }]) {
        const { text, lines } = yield* logged(
          Incident.note("Storage failed", new StorageUnavailable({ operation: "get", cause }))
        )
        assert.notInclude(text, secret)
        assert.deepInclude(lines.at(-1)?.annotations, { reason: "StorageUnavailable", operation: "get" })
      }
    })
  )

  it.effect("notes the name of a cause and where it was thrown", () =>
    Effect.gen(function* () {
      const { lines } = yield* logged(
        Incident.note("Storage failed", new StorageUnavailable({ operation: "get", cause: new TypeError("hidden") }))
      )
      const { error, at } = annotationsOf(lines)["cause"] as { readonly error: string; readonly at: Array<string> }
      assert.strictEqual(error, "TypeError")
      assert.isAbove(at.length, 0)
      for (const line of at) assert.match(line, /^at /u)
    })
  )

  it.effect.prop("reports a defect and a failure without their words", [Secret], ([secret]) =>
    Effect.gen(function* () {
      const multiline = new Error(`${secret}\n    at ${secret} (file:1:1)`)
      const nested = new Error(secret, { cause: new Error(secret) })
      for (const cause of [Cause.die(multiline), Cause.fail(nested), Cause.die(secret), Cause.fail({ secret })]) {
        const { reference, text, lines } = yield* logged(Incident.report("A bug", cause))
        assert.notInclude(text, secret)
        assert.deepInclude(lines.at(-1), { level: "ERROR", message: "A bug" })
        const { reference: id, errors } = annotationsOf(lines)
        assert.strictEqual(id, reference)
        assert.strictEqual((errors as ReadonlyArray<unknown>).length, 1)
      }
    })
  )
})
