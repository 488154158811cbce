import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"

import { startWorker } from "../../dev/LocalWorker.ts"
import { freePort } from "../support/FreePort.ts"
import { platform } from "../support/LocalServer.ts"

describe("a Worker on this machine", () => {
  it.live(
    "that lacks a setting stops the start, and is told by its name",
    () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const storage = yield* files.makeTempDirectoryScoped()
        const port = yield* Effect.promise(freePort)
        const error = yield* Effect.flip(startWorker({ port, settings: {}, storage, quiet: true }))
        assert.strictEqual(error._tag, "NotSetUp")
        assert.match(error.message, /^This server is not set up yet: CLERK_FRONTEND_API is missing: /u)
      }).pipe(Effect.scoped, Effect.provide(platform)),
    60_000
  )
})
