import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import process from "node:process"

import { platform } from "../support/LocalServer.ts"
import { expected, type Report, run } from "./Suite.ts"

const sets = ["2025-11-25", "2026-07-28", "authorization"] as const

const lines = (set: keyof Report, { passed, required, failed }: Report[keyof Report]) => [
  `${set}: ${passed}/${required}`,
  ...failed.map((line) => `  ${line}`)
]

/** Prints the figures, and what failed; the exit code is 1 if a set passes less than it has to. */
run.pipe(
  Effect.tap((report) => Console.log(sets.flatMap((set) => lines(set, report[set])).join("\n"))),
  Effect.tap((report) =>
    Effect.sync(() => {
      process.exitCode = sets.every((set) => report[set].passed >= expected[set]) ? 0 : 1
    })
  ),
  Effect.provide(platform),
  NodeRuntime.runMain
)
