import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"

import packageJson from "../../package.json" with { type: "json" }

const root = join(import.meta.dirname, "../..")

/** The command line with these words in this folder, and what it printed. */
const clerkMcp = (words: ReadonlyArray<string>, cwd: string) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "dev/cli.ts"), ...words], {
    cwd,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" }
  })
  return { status, said: `${stdout}${stderr}` }
}

const init = (directory: string, cwd: string) => clerkMcp(["init", directory], cwd)

const filesIn = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1))
    .toSorted()

describe("clerk-mcp init", () => {
  let home = ""
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "clerk-mcp-init-"))
  })
  afterAll(() => rmSync(home, { recursive: true, force: true }))

  it("writes a server that has the folder's name, and says what to do next", () => {
    const { status, said } = init("acme-tools", home)
    assert.strictEqual(status, 0, said)
    for (const next of ["cd acme-tools", "npm install", "npm start", "npm test"]) assert.include(said, next)

    const folder = join(home, "acme-tools")
    const files = filesIn(folder)
    const names = [".dev.vars.example", ".github/workflows/ci.yml", ".gitignore", "AGENTS.md", "README.md"]
    assert.includeMembers(files, [
      ...names,
      "package.json",
      "policy.lock",
      "src/worker.ts",
      "tsconfig.json",
      "wrangler.jsonc"
    ])
    for (const file of files) {
      assert.notMatch(readFileSync(join(folder, file), "utf8"), /my-mcp-server|My MCP Server/u, file)
    }
    const text = (file: string) => readFileSync(join(folder, file), "utf8")
    assert.include(text("src/worker.ts"), 'name: "acme-tools"')
    assert.include(text("src/worker.ts"), 'title: "Acme Tools"')
    assert.include(text("wrangler.jsonc"), '"name": "acme-tools"')
  })

  it("names the versions that this library is tested with, and itself by its version", () => {
    const { status } = init("versions", home)
    assert.strictEqual(status, 0)
    const manifest = JSON.parse(readFileSync(join(home, "versions/package.json"), "utf8"))
    assert.strictEqual(manifest.dependencies["clerk-mcp-worker"], `^${packageJson.version}`)
    assert.strictEqual(manifest.dependencies.effect, packageJson.devDependencies.effect)
    assert.strictEqual(manifest.devDependencies.wrangler, packageJson.devDependencies.wrangler)
    assert.notInclude(JSON.stringify(manifest), '"*"')
  })

  it("writes into an empty folder and a fresh git repository", () => {
    mkdirSync(join(home, "fresh/.git"), { recursive: true })
    const { status, said } = init(".", join(home, "fresh"))
    assert.strictEqual(status, 0, said)
    assert.notInclude(said, "cd .")
    assert.include(filesIn(join(home, "fresh")), "src/worker.ts")
  })

  it("refuses a folder with something in it, and leaves it as it is", () => {
    mkdirSync(join(home, "full"))
    writeFileSync(join(home, "full/notes.txt"), "mine")
    const { status, said } = init("full", home)
    assert.strictEqual(status, 1)
    assert.include(said, "full is not an empty folder. Nothing was written.")
    assert.notMatch(said, /^\s+at |node:|file:/mu)
    assert.deepStrictEqual(filesIn(join(home, "full")), ["notes.txt"])
  })

  it("refuses names that npm or Cloudflare refuse", () => {
    for (const name of ["Acme", "a_b", "a".repeat(64), "effect", "clerk-mcp-worker"]) {
      const { status, said } = init(name, home)
      assert.strictEqual(status, 1, name)
      assert.include(said, `"${name}" cannot be the name of a server`)
      assert.notInclude(readdirSync(home), name)
    }
  })
  it("leaves nothing for `start` in another folder than the server's", () => {
    const { status, said } = clerkMcp(["start"], home)
    assert.strictEqual(status, 1)
    assert.include(said, "wrangler.jsonc is not here: start in the folder of your server")
  })
})
