import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { run } from "./Commands.ts"

const root = join(import.meta.dirname, "../..")

describe("a copy of this repository", () => {
  let copy = ""

  const edit = (path: string, ...changes: ReadonlyArray<readonly [find: string, replace: string]>) => {
    const text = changes.reduce(
      (before, [find, replace]) => {
        assert.include(before, find, path)
        return before.replace(find, replace)
      },
      readFileSync(join(copy, path), "utf8")
    )
    writeFileSync(join(copy, path), text)
  }
  /** A file that was written elsewhere, with what it imports from there. */
  const place = (from: string, to: string, ...imports: ReadonlyArray<readonly [find: string, replace: string]>) => {
    cpSync(join(root, from), join(copy, to))
    edit(to, ...imports.map(([find, replace]) => [`"${find}"`, `"${replace}"`] as const))
  }

  beforeAll(async () => {
    copy = mkdtempSync(join(tmpdir(), "clerk-mcp-copy-"))
    for (const file of (await run(root, "git", "ls-files", "--cached", "--others", "--exclude-standard"))
      .split("\n")
      .filter((file) => file !== "")) {
      cpSync(join(root, file), join(copy, file))
    }
    for (const folder of [".", "examples/react-router", "examples/app-kit", "examples/hono"]) {
      symlinkSync(join(root, folder, "node_modules"), join(copy, folder, "node_modules"))
    }
    await run(copy, "git", "init", "--quiet")
    await run(copy, "git", "add", "--all")
  })
  afterAll(() => rmSync(copy, { recursive: true, force: true }))

  it("takes the tools that a team writes, and every file that changes is the team's", async () => {
    place("test/readme/Dice.ts", "src/tools/Dice.ts", ["../../src/server/index.ts", "../server/index.ts"])
    place("test/package/team/src/tools/Orders.ts", "src/tools/Orders.ts", ["clerk-mcp-worker", "../server/index.ts"])
    place(
      "test/package/team/test/Orders.test.ts",
      "test/tools/Orders.test.ts",
      ["clerk-mcp-worker", "../../src/server/index.ts"],
      ["../src/tools/Orders.ts", "../../src/tools/Orders.ts"]
    )
    edit(
      "src/tools/Tools.ts",
      [
        "import * as Images",
        'import * as Dice from "./Dice.ts"\nimport * as Orders from "./Orders.ts"\nimport * as Images'
      ],
      [
        "Catalogue.layer(",
        "Catalogue.layer(Catalogue.tools(Dice.toolkit, Dice.layer), Catalogue.tools(Orders.toolkit, Orders.layer), Orders.order, Orders.summary, "
      ],
      ["Layer.provide([ImageGenerator.layer,", "Layer.provide([Orders.Orders.layer, ImageGenerator.layer,"]
    )
    edit(
      "src/worker.ts",
      ["scopes: {", 'scopes: { "orders:read": "Read the orders",'],
      ["[ImageSettings]", "[ImageSettings, OrderSettings]"],
      ["import { catalogue }", 'import { OrderSettings } from "./tools/Orders.ts"\nimport { catalogue }']
    )
    const database = '"d1_databases": [{ "binding": "ORDERS", "database_name": "orders" }], "kv_namespaces"'
    const wrangler = readFileSync(join(copy, "wrangler.jsonc"), "utf8")
      .replaceAll('"kv_namespaces"', database)
      .replaceAll('"IMAGE_GENERATOR"', '"ORDERS_AT_ONCE": "2", "IMAGE_GENERATOR"')
    writeFileSync(join(copy, "wrangler.jsonc"), wrangler)

    const changed = await run(copy, "git", "status", "--porcelain", "--untracked-files=all")
    const files = changed.split("\n").filter((line) => /^.[M?]/u.test(line))
    assert.deepStrictEqual(files.map((line) => line.slice(3)).toSorted(), [
      "src/tools/Dice.ts",
      "src/tools/Orders.ts",
      "src/tools/Tools.ts",
      "src/worker.ts",
      "test/tools/Orders.test.ts",
      "wrangler.jsonc"
    ])
  })

  it("passes its checks with them", async () => {
    await run(copy, "npm", "run", "format")
    await run(copy, "npm", "run", "check:types")
    await run(copy, "npm", "run", "lint")
    await run(copy, "npm", "run", "unused")
    const written = await run(copy, "npm", "run", "policy", "--", "--write")
    assert.include(written, "template orders://{id}: is new, for anybody with scope orders:read")
    assert.include(await run(copy, "npm", "run", "policy"), "policy.lock is current.")
    await run(copy, "npm", "run", "size")
  })

  it("passes the team's tests in under 30 s, and the library's", async () => {
    const start = performance.now()
    assert.match(await run(copy, "npm", "run", "test:tools"), /Tests\s+\d+ passed/u)
    assert.isBelow(performance.now() - start, 30_000)
    const library = ["access", "capability", "config", "mcp", "oauth", "testing", "Definition", "Server"]
    const files = library.map((room) => `test/server/${room}`)
    await run(copy, "npm", "test", "--", "--project", "node", ...files)
  })
})
