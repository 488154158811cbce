import { assert, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { inject } from "vitest"

it("the kit for tests stays out of the Worker", () => {
  const bundle = readFileSync(join(inject("fixtureBundle"), "worker.js"), "utf8")
  // Words of the Worker, of the kit's store and of its Clerk: minifying changes names only.
  assert.include(bundle, "Session not found")
  for (const words of ["the OAuth library asked KV for", "unsigned", "the test did not swap"]) {
    assert.notInclude(bundle, words)
  }
})
