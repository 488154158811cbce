import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { createTestHarness } from "wrangler"

/** The Worker before anybody set it up, and its address. */
export class NotSetUp extends Context.Service<NotSetUp, { readonly url: string }>()("test/NotSetUp") {
  static readonly layer = Layer.effect(
    NotSetUp,
    Effect.acquireRelease(
      Effect.promise(async () => {
        const harness = createTestHarness({ workers: [{ configPath: "./wrangler.jsonc", env: "local" }] })
        const { url } = await harness.listen()
        return { harness, url: `http://localhost:${url.port}` }
      }),
      ({ harness }) => Effect.promise(() => harness.close())
    )
  )
}
