import { assert, describe, layer } from "@effect/vitest"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { unstable_getVarsForDev as getVarsForDev } from "wrangler"

import { envFile, ownSettings } from "../../dev/DevVars.ts"

const inFolder = Effect.fnUntraced(function* (contents: Readonly<Record<string, string>>) {
  const files = yield* FileSystem.FileSystem
  const folder = yield* files.makeTempDirectoryScoped()
  for (const [name, content] of Object.entries(contents)) yield* files.writeFileString(`${folder}/${name}`, content)
  return folder
})

describe("a team's own settings", () => {
  layer(NodeFileSystem.layer)((it) => {
    it.effect("come from .dev.vars, without those of Clerk and those that the run decides", () =>
      Effect.gen(function* () {
        const folder = yield* inFolder({
          ".dev.vars": `ACME_KEY="secret" # of the warehouse
LOW_STOCK=13
CLERK_SECRET_KEY="sk_live_real"
CLERK_ANYTHING_ELSE=1
PUBLIC_URL="https://mcp.example"
SIGN_IN="app"
APP_URL="https://app.example"
STATE_SIGNING_KEYS="k1:AAAA"
`
        })
        assert.deepStrictEqual(yield* ownSettings(folder), {
          file: ".dev.vars",
          settings: { ACME_KEY: "secret", LOW_STOCK: "13" }
        })
      })
    )

    it.effect("come from .dev.vars.local where there is one, as for wrangler", () =>
      Effect.gen(function* () {
        const folder = yield* inFolder({ ".dev.vars": "A=1", ".dev.vars.local": "B=2" })
        assert.deepStrictEqual(yield* ownSettings(folder), { file: ".dev.vars.local", settings: { B: "2" } })
      })
    )

    it.effect("are none without a file", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual((yield* ownSettings(yield* inFolder({}))).settings, {})
      })
    )

    it.effect.prop(
      "reach the Worker as they stand, whatever is in them",
      [Schema.Array(Schema.Literals(["$", "{", "}", "\\", "'", '"', "`", "#", "=", " ", "\n", "n", "HOME"]))],
      ([parts]) =>
        Effect.gen(function* () {
          const files = yield* FileSystem.FileSystem
          // What dotenv has no way to write: all three kinds of quotes, and a backslash at the end of a quoted value.
          const value = parts.join("").replaceAll("`", "").replace(/\\+$/u, "")
          const folder = yield* inFolder({ "settings.env": envFile({ FIRST: value, SECOND: "it's" }) })
          const vars = getVarsForDev(`${folder}/wrangler.jsonc`, [`${folder}/settings.env`], {}, "local", true)
          assert.deepStrictEqual(vars, {
            FIRST: { type: "secret_text", value },
            SECOND: { type: "secret_text", value: "it's" }
          })
          yield* files.remove(folder, { recursive: true })
        })
    )
  })
})
