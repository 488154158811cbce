import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { memoryRecords } from "../../../src/server/testing/MemoryStores.ts"
import { recordsCases } from "../../support/RecordsCases.ts"

describe("records in memory", () => {
  it.effect.each(Object.entries(recordsCases))("%s", ([, test]) => Effect.provide(test, Layer.fresh(memoryRecords)))
})
