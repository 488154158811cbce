import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { existsSync, statSync } from "node:fs"
import { join } from "node:path"
import process from "node:process"

import { demoUsers } from "../../dev/clerk/DemoUsers.ts"
import { freePort } from "../support/FreePort.ts"
import { StartScript } from "../support/StartScript.ts"

const root = join(import.meta.dirname, "../..")
const foreignKey = `k:${Buffer.alloc(32, 3).toString("base64")}`

/** `clerk-mcp explain` with these flags, on this key of the environment. */
const explain = (flags: ReadonlyArray<string>, key = "") =>
  new Promise<{ readonly code: number | null; readonly printed: string }>((resolve) => {
    const child = spawn(process.execPath, ["dev/cli.ts", "explain", ...flags], {
      cwd: root,
      env: { ...process.env, NO_COLOR: "1", STATE_SIGNING_KEYS: key }
    })
    let printed = ""
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (printed += String(text)))
    child.once("close", (code) => resolve({ code, printed }))
  })

describe("clerk-mcp explain", () => {
  let server: StartScript
  let port = 0
  const keyFile = () => join(root, `.wrangler/start-${port}.env`)
  beforeAll(async () => {
    port = await freePort()
    server = new StartScript("--port", String(port), "--clerk-port", String(await freePort()))
    await server.ready()
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    assert.isFalse(existsSync(keyFile()))
  })

  const { id: member } = demoUsers.member
  const at = (host = "localhost") => ["--url", `http://${host}:${port}`, "--user", member]

  it("asks a running server, and prints why somebody may not", async () => {
    assert.strictEqual(statSync(keyFile()).mode & 0o777, 0o600)
    const { code, printed } = await explain([...at(), "--tool", "generateImage"])
    assert.strictEqual(code, 0, printed)
    assert.include(
      printed,
      `${member} may not use generateImage: it needs one of the roles admin, premium, image_generation, and the account has no role.`
    )
  })

  it("says what there is none of", async () => {
    const { code, printed } = await explain([...at(), "--tool", "nothing"])
    assert.strictEqual(code, 1)
    assert.include(printed, "There is no tool nothing.")
    assert.include((await explain([...at(), "--reference", "AAAA2222"])).printed, "has the reference AAAA2222")
  })

  it("says that the key is not the server's, that there is none, and that no server is there", async () => {
    const foreign = await explain([...at("127.0.0.1"), "--tool", "add"], foreignKey)
    assert.strictEqual(foreign.code, 1)
    assert.include(foreign.printed, "does not take this machine's key")
    assert.include((await explain([...at("127.0.0.1"), "--tool", "add"])).printed, "This machine has no key")
    const nobody = await explain(["--url", "http://localhost:1", "--user", member, "--tool", "add"], foreignKey)
    assert.include(nobody.printed, "No server answers at http://localhost:1. Name the address of yours with --url.")
    assert.notMatch(nobody.printed, /^\s+at /mu)
  })
})
