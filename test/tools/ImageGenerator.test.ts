import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { decode } from "fast-png"

import { ImageGenerator } from "../../src/tools/ImageGenerator.ts"
import { Progress, type Report } from "../../src/server/capability/Progress.ts"

type Run = (model: string, input: unknown, options: { readonly signal: AbortSignal }) => Promise<unknown>

/** Workers AI as one function. */
const workersAi = (run: Run) => ImageGenerator.layerWorkersAi({ run } as unknown as Pick<Ai, "run">)

const generate = (prompt = "a lighthouse", steps = 4) =>
  Effect.flatMap(ImageGenerator, (generator) => generator.generate({ prompt, steps }))

/** Collects what is reported while the effect runs. */
const reporting = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const reports: Array<Report> = []
  const collect = (report: Report) => Effect.sync(() => void reports.push(report))
  return Effect.map(Effect.provideService(effect, Progress, collect), (value) => ({ value, reports }))
}

const increases = (reports: ReadonlyArray<Report>) =>
  reports.every(({ progress }, index) => index === 0 || progress > (reports[index - 1]?.progress ?? 0))

const never: Run = () => new Promise(() => {})

describe("ImageGenerator on Workers AI", () => {
  it.effect("asks the model for the prompt and decodes its answer", () => {
    const asked: Array<unknown> = []
    return Effect.gen(function* () {
      const { value, reports } = yield* reporting(generate("a lighthouse", 6))
      assert.deepStrictEqual([...value.bytes], [255, 216, 255])
      assert.deepInclude({ ...value }, { mediaType: "image/jpeg", placeholder: false })
      assert.deepStrictEqual(asked, [value.model, { prompt: "a lighthouse", steps: 6 }])
      assert.isAtLeast(reports.length, 2)
      assert.isTrue(increases(reports))
      assert.strictEqual(reports.at(-1)?.progress, reports.at(-1)?.total)
    }).pipe(
      Effect.provide(
        workersAi(async (model, input) => {
          asked.push(model, input)
          return { image: Buffer.from([255, 216, 255]).toString("base64") }
        })
      )
    )
  })

  it.effect("aborts the request to the model when it is interrupted", () => {
    const signals: Array<AbortSignal> = []
    return Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(generate(), { startImmediately: true })
      assert.deepStrictEqual(
        signals.map(({ aborted }) => aborted),
        [false]
      )
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(
        signals.map(({ aborted }) => aborted),
        [true]
      )
    }).pipe(
      Effect.provide(
        workersAi((model, input, { signal }) => {
          signals.push(signal)
          return never(model, input, { signal })
        })
      )
    )
  })

  it.effect("gives the model 60 s, then aborts", () => {
    const signals: Array<AbortSignal> = []
    return Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Effect.flip(generate()), { startImmediately: true })
      yield* TestClock.adjust("59999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* Fiber.join(fiber)).reason, "timeout")
      assert.deepStrictEqual(
        signals.map(({ aborted }) => aborted),
        [true]
      )
    }).pipe(
      Effect.provide(
        workersAi((model, input, { signal }) => {
          signals.push(signal)
          return never(model, input, { signal })
        })
      )
    )
  })

  it.effect("says that the model failed, and not how", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(generate())
      assert.strictEqual(error.reason, "unavailable")
      assert.notInclude(`${error.message} ${JSON.stringify(error)}`, "account 0815")
    }).pipe(Effect.provide(workersAi(() => Promise.reject(new Error("account 0815 is over its quota")))))
  )

  for (const answer of [undefined, null, "image", {}, { image: 7 }, { image: "not base64!" }, new Uint8Array(3)]) {
    it.effect(`takes ${JSON.stringify(answer)} for no image`, () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* Effect.flip(generate())).reason, "unexpected answer")
      }).pipe(Effect.provide(workersAi(async () => answer)))
    )
  }
})

describe("ImageGenerator as a placeholder", () => {
  // On the live clock: hashing the prompt takes real time, after which the test's clock has already moved on.
  const painted = (prompt: string, steps?: number) =>
    reporting(generate(prompt, steps)).pipe(TestClock.withLive, Effect.provide(ImageGenerator.layerPlaceholder))

  it.effect("paints the same picture for the same prompt, and another for another", () =>
    Effect.gen(function* () {
      const { value: first } = yield* painted("a lighthouse")
      const { value: again } = yield* painted("a lighthouse")
      const { value: other } = yield* painted("a lighthouse.")
      assert.deepStrictEqual(first.bytes, again.bytes)
      assert.notDeepEqual(first.bytes, other.bytes)
      assert.deepInclude({ ...first }, { mediaType: "image/png", placeholder: true })
    })
  )

  it.effect("paints a PNG that decodes, with more than one colour", () =>
    Effect.gen(function* () {
      const { value } = yield* painted("a lighthouse", 8)
      const { width, height, channels, data } = decode(value.bytes)
      assert.deepStrictEqual([width, height, channels], [256, 256, 3])
      const colours = new Set<string>()
      for (let pixel = 0; pixel < data.length; pixel += 3) colours.add(data.slice(pixel, pixel + 3).join())
      assert.isAbove(colours.size, 50)
    })
  )

  it.effect("reports every step", () =>
    Effect.gen(function* () {
      const { reports } = yield* painted("a lighthouse", 5)
      assert.deepStrictEqual(
        reports.map(({ progress, total }) => [progress, total]),
        [1, 2, 3, 4, 5].map((step) => [step, 5])
      )
    })
  )

  it.effect("stops when it is interrupted", () =>
    Effect.gen(function* () {
      const first = yield* Deferred.make<void>()
      let reports = 0
      const count = () => {
        reports += 1
        return Effect.asVoid(Deferred.succeed(first, undefined))
      }
      const work = Effect.provideService(generate("a lighthouse", 8), Progress, count)
      const fiber = yield* Effect.forkChild(work)
      yield* Deferred.await(first)
      yield* Fiber.interrupt(fiber)
      yield* Effect.sleep("120 millis")
      assert.strictEqual(reports, 1)
    }).pipe(TestClock.withLive, Effect.provide(ImageGenerator.layerPlaceholder))
  )
})
