import { assert, describe, it } from "@effect/vitest"
import * as Prompt from "effect/ai/Prompt"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"

import { CurrentUser } from "../../../src/server/access/CurrentUser.ts"
import { Catalogue } from "../../../src/server/mcp/Catalogue.ts"
import { Progress } from "../../../src/server/capability/Progress.ts"
import { called } from "../../support/Called.ts"
import { request } from "../../support/People.ts"

class TooFar extends Schema.TaggedError<TooFar>()("TooFar", { distance: Schema.Finite }) {
  override get message() {
    return `${this.distance} km are too far.`
  }
}

/** A store that fails, in words that are nobody's business. */
class StoreDown extends Schema.TaggedError<StoreDown>()("StoreDown", { cause: Schema.Defect() }) {}
class NotSaved extends Schema.TaggedError<NotSaved>()("NotSaved", { reason: StoreDown, note: Schema.String }) {
  override readonly message = "It could not be saved."
}

const save = (failureMode: "error" | "return") =>
  Tool.make(`save-${failureMode}`, { success: Schema.Struct({}), failure: NotSaved, failureMode })
class Plain extends Schema.TaggedError<Plain>()("Plain", { left: Schema.Int, cause: Schema.Defect() }) {}
class Dated extends Schema.TaggedError<Dated>()("Dated", { since: Schema.Date }) {
  override readonly message = "Too early."
}
const dated = Tool.make("dated", { success: Schema.Struct({}), failure: Dated })
const structural = Tool.make("structural", {
  success: Schema.Struct({ n: Schema.Int }),
  failure: Schema.Struct({ message: Schema.String })
})
const plain = Tool.make("plain", { success: Schema.Struct({}), failure: Plain })
const refuse = Tool.make("refuse", {
  success: Schema.Struct({}),
  failure: Schema.Struct({ _tag: Schema.Literal("Full"), left: Schema.Int })
})

const Travel = Tool.make("travel", {
  parameters: Schema.Struct({ to: Schema.NonEmptyString, distance: Schema.Int }),
  success: Schema.Struct({ arrived: Schema.String, traveller: Schema.NullOr(Schema.String) }),
  failure: TooFar,
  dependencies: [CurrentUser]
})
const Sketch = Tool.make("sketch", {
  success: Schema.Struct({ strokes: Schema.Int }),
  toModelOutput: () => [
    Prompt.textPart({ text: "A sketch" }),
    Prompt.filePart({ mediaType: "image/png", data: new Uint8Array([137, 80, 78, 71]) }),
    Prompt.filePart({ mediaType: "audio/wav", data: "UklGRg==" }),
    Prompt.filePart({ mediaType: "application/pdf", data: new Uint8Array([37]), fileName: "sketch.pdf" })
  ]
})
const Wait = Tool.make("wait", { success: Schema.Struct({}) })
const Broken = Tool.make("broken", { success: Schema.Struct({ hunter2: Schema.Int }) })
const toolkit = Toolkit.make(
  Travel,
  Sketch,
  Wait,
  Broken,
  save("error"),
  save("return"),
  refuse,
  plain,
  dated,
  structural
)

/** The tools, and what became of the one that waits. */
const withTools = <A, E>(
  test: (wait: {
    readonly started: Deferred.Deferred<void>
    readonly interrupted: Deferred.Deferred<void>
    readonly log: ReadonlyArray<string>
  }) => Effect.Effect<A, E, Catalogue>
) =>
  Effect.gen(function* () {
    const [started, interrupted] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    const log: Array<string> = []
    const notSaved = Effect.suspend(() => {
      const cause = new TypeError("the password is hunter2")
      return Effect.fail(new NotSaved({ reason: new StoreDown({ cause }), note: "hunter2" }))
    })
    const handlers = toolkit.toLayer({
      "save-error": () => notSaved,
      "save-return": () => notSaved,
      plain: () =>
        Effect.fail(
          Object.assign(new Plain({ left: 0, cause: new Error("the password is hunter2") }), { password: "hunter2" })
        ),
      dated: () => Effect.fail(new Dated({ since: new Date(0) })),
      structural: () => Effect.succeed({ n: 0.5 }),
      refuse: () => Effect.fail({ _tag: "Full", left: 0 } as const),
      travel: Effect.fnUntraced(function* ({ to, distance }) {
        const report = yield* Progress
        yield* report({ progress: 1, message: "on the way" })
        if (distance < 0) return yield* Effect.die(new Error("the password is hunter2"))
        if (distance > 1_000) return yield* new TooFar({ distance })
        return { arrived: to, traveller: (yield* CurrentUser).firstName }
      }),
      sketch: () => Effect.succeed({ strokes: 3 }),
      broken: () => Effect.succeed({ hunter2: 0.5 }),
      wait: () =>
        Deferred.succeed(started, undefined).pipe(
          Effect.andThen(Effect.never),
          Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
        )
    })
    const logger = Logger.layer([Logger.map(Logger.formatJson, (line) => void log.push(line))])
    return yield* Effect.provide(
      test({ started, interrupted, log }),
      Layer.merge(Catalogue.layer(Catalogue.tools(toolkit, handlers)), logger)
    )
  })

const call = (name: string, args?: unknown) => Effect.provide(called(name, args), request())

/** What of a line in the log is told to be the same each time. */
const lineOf = (line: string) => {
  const { level, message, annotations } = JSON.parse(line) as {
    readonly level: string
    readonly message: string
    readonly annotations: Readonly<Record<string, unknown>>
  }
  return { level, message, annotations }
}

const textOf = ({ content }: { readonly content: ReadonlyArray<{ readonly type: string }> }) =>
  content.map((block) => ("text" in block ? String(block.text) : block.type)).join("\n")

describe("a tool call", () => {
  it.effect("answers with the result as text and as structure, for the user who called", () =>
    withTools(() =>
      Effect.gen(function* () {
        const result = yield* call("travel", { to: "Lisbon", distance: 7 })
        const structure = { arrived: "Lisbon", traveller: "Ada" }
        assert.deepStrictEqual(result, {
          content: [{ type: "text", text: JSON.stringify(structure) }],
          structuredContent: structure
        })
      })
    )
  )

  it.effect("answers with image, audio and file as content, and keeps their bytes out of the structure", () =>
    withTools(() =>
      Effect.gen(function* () {
        const result = yield* call("sketch")
        assert.deepStrictEqual(result.content, [
          { type: "text", text: "A sketch" },
          { type: "image", data: "iVBORw==", mimeType: "image/png" },
          { type: "audio", data: "UklGRg==", mimeType: "audio/wav" },
          { type: "resource", resource: { uri: "content:sketch.pdf", blob: "JQ==", mimeType: "application/pdf" } }
        ])
        assert.deepStrictEqual(result.structuredContent, { strokes: 3 })
      })
    )
  )

  const wrong: ReadonlyArray<readonly [what: string, args: unknown, names: ReadonlyArray<string>]> = [
    ["everything missing", {}, ["to", "distance"]],
    ["no arguments", undefined, ["to", "distance"]],
    ["two of the wrong type", { to: 7, distance: "far" }, ["to", "distance"]],
    ["one too many", { to: "Lisbon", distance: 7, by: "train" }, ["by"]],
    ["an empty text", { to: "", distance: 7 }, ["to"]],
    ["a fraction", { to: "Lisbon", distance: 7.5 }, ["distance"]]
  ]
  for (const [what, args, names] of wrong) {
    it.effect(`names every wrong argument: ${what}`, () =>
      withTools(({ log }) =>
        Effect.gen(function* () {
          const result = yield* call("travel", args)
          assert.isTrue(result.isError)
          assert.isUndefined(result.structuredContent)
          assert.match(textOf(result), /^Wrong arguments for travel: /u)
          for (const argument of names) assert.include(textOf(result), `"${argument}"`)
          assert.deepStrictEqual(log, [])
        })
      )
    )
  }

  for (const args of [null, 7, "to Lisbon", ["Lisbon", 7]]) {
    it.effect(`takes ${JSON.stringify(args)} for wrong arguments, not for a fault of the server`, () =>
      withTools(() =>
        Effect.gen(function* () {
          const result = yield* call("travel", args)
          assert.isTrue(result.isError)
          assert.match(textOf(result), /^Wrong arguments for travel/u)
        })
      )
    )
  }

  it.effect("answers a declared failure with its message, as the tool's own answer", () =>
    withTools(({ log }) =>
      Effect.gen(function* () {
        const result = yield* call("travel", { to: "the Moon", distance: 384_400 })
        assert.isTrue(result.isError)
        const [, reference] = /^384400 km are too far\. Reference ([2-9A-HJ-NP-Z]{8})$/u.exec(textOf(result)) ?? []
        assert.deepEqual(log.map(lineOf), [
          {
            level: "INFO",
            message: "Tool travel failed",
            annotations: { reference, reason: "TooFar", tool: "travel", userId: "user_ada", clientId: "the-client" }
          }
        ])
      })
    )
  )

  for (const name of ["save-error", "save-return"]) {
    it.effect(`warns of a declared failure that has a cause, and tells where that came from only: ${name}`, () =>
      withTools(({ log }) =>
        Effect.gen(function* () {
          const result = yield* call(name)
          assert.isTrue(result.isError)
          const [, reference] = /^It could not be saved\. Reference ([2-9A-HJ-NP-Z]{8})$/u.exec(textOf(result)) ?? []
          const [line] = log.map(lineOf)
          assert.lengthOf(log, 1)
          assert.strictEqual(line?.level, "WARN")
          const { cause, ...others } = { ...line?.annotations }
          const reason = "NotSaved/StoreDown"
          assert.deepEqual(others, { reference, reason, tool: name, userId: "user_ada", clientId: "the-client" })
          const { error, at } = cause as { readonly error: string; readonly at: ReadonlyArray<string> }
          assert.strictEqual(error, "TypeError")
          assert.include(at[0], "ToolCall.test.ts")
          assert.notInclude(log.join() + textOf(result), "hunter2")
        })
      )
    )
  }

  it.effect("answers a declared failure without a message with what it is made of", () =>
    withTools(({ log }) =>
      Effect.gen(function* () {
        const text = textOf(yield* call("refuse"))
        assert.match(text, /^\{"_tag":"Full","left":0\} Reference [2-9A-HJ-NP-Z]{8}$/u)
        assert.include(log[0], '"reason":"Full"')
      })
    )
  )

  it.effect("says what a failure without words is made of, and nothing of its cause", () =>
    withTools(() =>
      Effect.gen(function* () {
        const text = textOf(yield* call("plain"))
        assert.match(text, /"left":0.* Reference [2-9A-HJ-NP-Z]{8}$/u)
        assert.notInclude(text, "hunter2")
      })
    )
  )

  it.effect("holds fields of a failure as JSON", () =>
    withTools(() =>
      Effect.gen(function* () {
        const { _meta } = yield* call("dated")
        assert.deepEqual(_meta?.["clerk-mcp-worker/failure"], { _tag: "Dated", since: "1970-01-01T00:00:00.000Z" })
      })
    )
  )

  it.effect("takes a result that is not as declared for a fault of the server, whatever its failures look like", () =>
    withTools(() =>
      Effect.gen(function* () {
        const result = yield* call("structural")
        assert.match(textOf(result), /report the reference [2-9A-HJ-NP-Z]{8}\.$/u)
        assert.notProperty(result, "_meta")
      })
    )
  )

  it.effect("answers a defect with a reference, and keeps its message from the client and the log", () =>
    withTools(({ log }) =>
      Effect.gen(function* () {
        const result = yield* call("travel", { to: "nowhere", distance: -1 })
        assert.isTrue(result.isError)
        assert.notInclude(JSON.stringify(result), "hunter2")
        const [reference] = /[2-9A-HJ-NP-Z]{8}/u.exec(textOf(result)) ?? []
        assert.strictEqual(log.length, 1)
        assert.include(log[0], `"${reference}"`)
        assert.include(log[0], '"tool":"travel","userId":"user_ada","clientId":"the-client"')
        assert.notInclude(log[0], "hunter2")
      })
    )
  )

  it.effect("takes a result that is not as declared for a fault of the server, and keeps the words of it", () =>
    withTools(({ log }) =>
      Effect.gen(function* () {
        const result = yield* call("broken")
        assert.isTrue(result.isError)
        assert.match(textOf(result), /reference [2-9A-HJ-NP-Z]{8}\.$/u)
        assert.notInclude(JSON.stringify(result), "hunter2")
        assert.strictEqual(log.length, 1)
        assert.notInclude(log[0], "hunter2")
      })
    )
  )

  it.effect("interrupts the tool with the call", () =>
    withTools(({ started, interrupted, log }) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(call("wait"))
        yield* Deferred.await(started)
        yield* Fiber.interrupt(fiber)
        yield* Deferred.await(interrupted)
        const exit = yield* Fiber.await(fiber)
        assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
        assert.deepStrictEqual(log, [])
      })
    )
  )

  it.effect("hands the tool what is set for this very call", () =>
    withTools(() =>
      Effect.gen(function* () {
        const reports: Array<string | undefined> = []
        yield* call("travel", { to: "Lisbon", distance: 7 }).pipe(
          Effect.provideService(Progress, ({ message }) => Effect.sync(() => void reports.push(message)))
        )
        assert.deepStrictEqual(reports, ["on the way"])
      })
    )
  )
})
