import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { Records } from "../../../src/server/account/Records.ts"
import { recordsCases } from "../../support/RecordsCases.ts"

describe("records in memory", () => {
  it.effect.each(Object.entries(recordsCases))("%s", ([, test]) =>
    Effect.provide(test, Layer.fresh(Records.layerMemory))
  )
})
