import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readFileSync } from "node:fs"
import { join } from "node:path"

import { Access } from "../../src/server/access/Access.ts"
import { AccessEvents } from "../../src/server/access/AccessEvents.ts"
import { memorySnapshots } from "../../src/server/testing/MemoryStores.ts"
import { AppConfig } from "../../src/server/config/AppConfig.ts"
import { UserId } from "../../src/server/domain/Principal.ts"
import { callTool } from "../../src/server/testing/index.ts"
import * as Dice from "./Dice.ts"
import { own } from "./OwnClerk.ts"

/** Where nobody hears of changes. */
const untold = Layer.succeed(AccessEvents, { publish: () => Effect.void })

const text = (path: string) => readFileSync(join(import.meta.dirname, path), "utf8")
const readme = text("../../README.md")

describe("README", () => {
  it("quotes the tool and the test that run here", () => {
    assert.include(readme, text("Dice.ts").replaceAll('"../../src/', '"../'))
    assert.include(readme, text("Swap.test.ts"))
  })

  it.effect("names a layer of one's own that works", () =>
    Effect.gen(function* () {
      const [, said] = /`(Layer\.mock\(ClerkApi, .*?\))`/u.exec(text("../../docs/testing.md")) ?? []
      assert.include(text("OwnClerk.ts"), `own = ${said}\n`)
      const access = yield* Access
      const { reason } = yield* Effect.flip(access.current(UserId.make("user_ada")))
      assert.strictEqual(reason._tag, "AccountClosed")
    }).pipe(Effect.provide(Layer.provide(Access.layer, [own, untold, memorySnapshots])))
  )

  it.effect("shows a tool that works", () =>
    Effect.gen(function* () {
      const { rolls } = yield* callTool(Dice.toolkit, Dice.layer)("rollDice", { count: 3 }, { as: { role: "premium" } })
      assert.lengthOf(rolls, 3)
      assert.isTrue(rolls.every((roll) => roll >= 1 && roll <= 6))
    })
  )

  it.effect("names every setting that has to be set", () =>
    Effect.gen(function* () {
      const { problems } = yield* Effect.flip(AppConfig.decode({}))
      const settings = text("../../docs/settings.md")
      for (const { name } of problems) assert.include(settings, `\`${name}\``)
    })
  )
})
