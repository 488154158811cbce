import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { platform } from "../support/LocalServer.ts"
import { expected, run } from "./Suite.ts"

it.live(
  "passes the official conformance suite",
  () =>
    Effect.gen(function* () {
      const report = yield* run
      for (const set of ["2025-11-25", "2026-07-28", "authorization"] as const) {
        const { passed, failed } = report[set]
        assert.isAtLeast(passed, expected[set], `${set}\n${failed.join("\n")}`)
      }
    }).pipe(Effect.provide(platform)),
  300_000
)
