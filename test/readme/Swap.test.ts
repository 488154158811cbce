import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { callTool, testServer } from "../../src/server/testing/index.ts"
import { ImageGenerator } from "../../src/tools/ImageGenerator.ts"
import * as Images from "../../src/tools/Images.ts"
import worker from "../../src/worker.ts"

it.effect("generates for artists, on a model of the test's own", () => {
  const image = { bytes: new Uint8Array([137, 80]), mediaType: "image/png", model: "a test", placeholder: false }
  const generator = Layer.succeed(ImageGenerator, { generate: () => Effect.succeed(image) })
  const call = callTool(Images.toolkit, Layer.provide(Images.layer, generator))
  return Effect.gen(function* () {
    const as = { role: "image_generation", scopes: ["images:generate"] }
    assert.deepInclude(yield* call("generateImage", { prompt: "a lighthouse" }, { as }), { model: "a test" })
  })
})

it("tells a client who is signed in", async () => {
  const server = testServer(worker, { users: [{ role: "admin" }], settings: { IMAGE_GENERATOR: "placeholder" } })
  const client = await server.connect({})
  const { structuredContent } = await client.callTool({ name: "userInfo", arguments: {} })
  assert.deepInclude(structuredContent, { userId: "user_ada", role: "admin" })
})
