import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

import { Progress, Settings } from "../server/index.ts"
import { paint } from "./PlaceholderImage.ts"

const AiBinding = Schema.declare((value: unknown): value is Ai => Predicate.hasProperty(value, "run"))

/** Which model makes the images, and the binding that reaches it. */
export class ImageSettings extends Settings.make<ImageSettings>()(
  "tools/ImageSettings",
  Schema.Struct({
    IMAGE_GENERATOR: Schema.Literals(["workers-ai", "placeholder"]).annotate({
      description: "workers-ai, which needs the binding AI, or placeholder"
    }),
    AI: Schema.optionalKey(AiBinding).annotate({ description: "the Workers AI binding" })
  }).check(
    Schema.makeFilter(({ IMAGE_GENERATOR, AI }) =>
      IMAGE_GENERATOR === "workers-ai" && AI === undefined ? { path: ["AI"], issue: "needed by workers-ai" } : undefined
    )
  )
) {}

/** The model did not deliver. `message` is for the person who asked. */
export class ImageFailed extends Schema.TaggedError<ImageFailed>()("ImageFailed", {
  reason: Schema.Literals(["unavailable", "timeout", "unexpected answer"]),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return `The image could not be generated (${this.reason}). Please try again in a moment.`
  }
}

export interface GeneratedImage {
  readonly bytes: Uint8Array
  readonly mediaType: string
  /** What made the image. */
  readonly model: string
  /** Whether it only stands in for an image of the prompt. */
  readonly placeholder: boolean
}

const model = "@cf/black-forest-labs/flux-1-schnell"
const timeout = Duration.seconds(60)
const Answer = Schema.Struct({ image: Schema.Uint8ArrayFromBase64 })

/** Makes images from words. Interrupting it aborts the request to the model. */
export class ImageGenerator extends Context.Service<
  ImageGenerator,
  {
    /** An image of `prompt`, refined in `steps` steps. Reports progress. */
    readonly generate: (request: {
      readonly prompt: string
      readonly steps: number
    }) => Effect.Effect<GeneratedImage, ImageFailed>
  }
>()("tools/ImageGenerator") {
  /** Workers AI with FLUX.1 schnell, which answers with a JPEG. */
  static readonly layerWorkersAi = (ai: Pick<Ai, "run">): Layer.Layer<ImageGenerator> =>
    Layer.succeed(
      ImageGenerator,
      ImageGenerator.of({
        generate: Effect.fn("ImageGenerator.generate")(function* (request) {
          const report = yield* Progress
          yield* report({ progress: 0, total: 1, message: "The model is at work" })
          const answer = yield* Effect.tryPromise({
            try: (signal) => ai.run(model, request, { signal }),
            catch: (cause) => new ImageFailed({ reason: "unavailable", cause })
          }).pipe(
            Effect.timeoutOrElse({
              duration: timeout,
              orElse: () => Effect.fail(new ImageFailed({ reason: "timeout" }))
            })
          )
          const { image } = yield* Schema.decodeUnknownEffect(Answer)(answer).pipe(
            Effect.mapError(() => new ImageFailed({ reason: "unexpected answer" }))
          )
          yield* report({ progress: 1, total: 1, message: "Done" })
          return { bytes: image, mediaType: "image/jpeg", model, placeholder: false }
        })
      })
    )

  /** Needs no account: paints the same picture for the same prompt, step by step, as a PNG. */
  static readonly layerPlaceholder = Layer.effect(
    ImageGenerator,
    Effect.gen(function* () {
      const digest = yield* Digest.Digest
      return ImageGenerator.of({
        generate: Effect.fn("ImageGenerator.generate")(function* ({ prompt, steps }) {
          const report = yield* Progress
          const seed = yield* Effect.orDie(digest.digest(Digest.sha256, new TextEncoder().encode(prompt)))
          for (let step = 1; step <= steps; step++) {
            yield* Effect.sleep("50 millis")
            yield* report({ progress: step, total: steps, message: `Step ${step} of ${steps}` })
          }
          return { bytes: paint(seed, steps), mediaType: "image/png", model: "placeholder", placeholder: true }
        })
      })
    })
  ).pipe(Layer.provide(Digest.layerWebCrypto))

  /** What the settings name. */
  static readonly layer = Layer.unwrap(
    Effect.map(ImageSettings, ({ IMAGE_GENERATOR, AI }) =>
      IMAGE_GENERATOR === "workers-ai" && AI !== undefined ? this.layerWorkersAi(AI) : this.layerPlaceholder
    )
  )
}
