import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"

import { ImageSettings } from "../../src/tools/ImageGenerator.ts"

const accepts = Schema.is(ImageSettings.schema)

describe("the settings of images", () => {
  it("want the binding AI for workers-ai, and only then", () => {
    assert.isTrue(accepts({ IMAGE_GENERATOR: "placeholder" }))
    assert.isTrue(accepts({ IMAGE_GENERATOR: "workers-ai", AI: { run() {} } }))
    assert.isFalse(accepts({ IMAGE_GENERATOR: "workers-ai" }))
  })

  it("know no other generator, and take nothing else for the binding", () => {
    assert.isFalse(accepts({ IMAGE_GENERATOR: "dall-e" }))
    for (const AI of ["a name", {}]) assert.isFalse(accepts({ IMAGE_GENERATOR: "placeholder", AI }))
  })
})
