import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"

const root = join(import.meta.dirname, "../..")

describe("clerk-mcp policy", () => {
  let copy = ""
  const at = (path: string) => join(copy, path)
  const lock = () => readFileSync(at("policy.lock"), "utf8")

  beforeAll(() => {
    copy = mkdtempSync(join(tmpdir(), "clerk-mcp-policy-test-"))
    for (const path of ["dev", "src", "package.json", "policy.lock"]) {
      cpSync(join(root, path), at(path), { recursive: true })
    }
    symlinkSync(join(root, "node_modules"), at("node_modules"))
  })
  afterAll(() => rmSync(copy, { recursive: true, force: true }))

  /** The command in the copy, and what it printed. */
  const policy = (...words: ReadonlyArray<string>) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [at("dev/cli.ts"), "policy", ...words], {
      cwd: copy,
      encoding: "utf8",
      env: { ...process.env, NO_COLOR: "1" }
    })
    return { status, said: `${stdout}${stderr}` }
  }
  const edit = (path: string, find: string, replace: string) => {
    const text = readFileSync(at(path), "utf8")
    assert.include(text, find)
    writeFileSync(at(path), text.replace(find, replace))
  }
  const refuses = (...sentences: ReadonlyArray<string>) => {
    const before = lock()
    const { status, said } = policy("--check")
    assert.strictEqual(status, 1, said)
    for (const sentence of sentences) assert.include(said, sentence)
    assert.include(said, "npm run policy -- --write")
    assert.notMatch(said, /^\s+at |node:|file:/mu)
    assert.strictEqual(lock(), before)
  }
  const writes = (sentence: string) => {
    const { status, said } = policy("--write")
    assert.strictEqual(status, 0, said)
    assert.include(said, sentence)
    passes()
  }
  const passes = () => {
    const { status, said } = policy()
    assert.strictEqual(status, 0, said)
    assert.include(said, "policy.lock is current.")
  }

  it("passes while nothing has changed, without settings, bindings or network", () => passes())

  it("fails where a policy lets more people in, until the file is written anew", () => {
    const wider =
      "tool generateImage: anybody with role admin, premium or image_generation AND scope images:generate -> everybody who is signed in (this lets more people in)"
    edit(
      "src/tools/Images.ts",
      'Policy.all(Policy.roles("admin", "premium", "image_generation"), Policy.scopes("images:generate"))',
      "Policy.signedIn"
    )
    refuses(wider)
    writes(wider)
  })

  it("fails where a schema on the wire changed, and names the property", () => {
    const optional = "tool add: the input schema changed: a is optional now"
    edit("src/tools/Arithmetic.ts", "a: Schema.Finite.annotate({", "a: Schema.optionalKey(Schema.Finite).annotate({")
    edit("src/tools/Arithmetic.ts", "({ a, b }) =>", "({ a = 0, b }) =>")
    refuses(optional)
    writes(optional)
  })

  it("takes other words for what they are", () => {
    edit("src/tools/Arithmetic.ts", "The first number", "The number to begin with")
    passes()
  })

  it("fails where the file is not what it would write: a merge, a line by hand", () => {
    const whole = lock()
    writeFileSync(at("policy.lock"), whole.replace("tool add\n", "<<<<<<< HEAD\ntool add\n"))
    refuses("policy.lock cannot be read from line 4 on: <<<<<<< HEAD")
    writeFileSync(at("policy.lock"), whole.replace("  who       everybody", "  who       somebody"))
    refuses("only how it is written")
    writeFileSync(at("policy.lock"), whole.replaceAll("\n", "\r\n"))
    passes()
  })

  it("writes the file where there is none, and only when it is told to", () => {
    assert.strictEqual(policy("--write").status, 0)
    const whole = lock()
    rmSync(at("policy.lock"))
    const { status, said } = policy()
    assert.strictEqual(status, 1)
    assert.include(said, "policy.lock is not here.")
    assert.isFalse(existsSync(at("policy.lock")))
    assert.strictEqual(policy("--write").status, 0)
    assert.strictEqual(lock(), whole)
  })

  it("says why it cannot read an entry, in a sentence", () => {
    writeFileSync(at("src/none.ts"), "export default {}\n")
    writeFileSync(at("src/broken.ts"), 'import "./nowhere.ts"\n')
    for (const [words, why] of [
      [["src/none.ts"], "its default export is not what `make` returns."],
      [["src/broken.ts"], "./nowhere.ts"],
      [["--check", "--write"], "exclude each other"]
    ] as const) {
      const { status, said } = policy(...words)
      assert.strictEqual(status, 1, said)
      assert.include(said, why)
      assert.notMatch(said, /^\s+at /mu)
    }
  })

  it("reads what only workerd has, other than for its use", () => {
    writeFileSync(
      at("src/platform.ts"),
      `import { connect } from "cloudflare:sockets"
import { WorkflowEntrypoint } from "cloudflare:workers"
import worker from "./worker.ts"
export class Flow extends WorkflowEntrypoint {}
export const open = () => connect("db:5432")
export default worker
`
    )
    const { status, said } = policy("src/platform.ts")
    assert.strictEqual(status, 0, said)
  })
})
