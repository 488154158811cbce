import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { freePort } from "../support/FreePort.ts"
import { Person } from "../support/Person.ts"
import { connectV1, connectV2, Login } from "../support/SdkClients.ts"
import { run, Running } from "./Commands.ts"

const root = join(import.meta.dirname, "../..")

describe("the packed library", () => {
  let home = ""
  let tarball = ""
  const acme = () => join(home, "acme")

  /** `npm start` in the team's folder, on ports of its own, until it can be used. */
  const startAcme = async (scopes: ReadonlyArray<string>, email = "member@example.com") => {
    const [port, clerkPort] = [await freePort(), await freePort()]
    const url = `http://localhost:${port}`
    const server = new Running(acme(), ["npm", "start", "--", "--port", `${port}`, "--clerk-port", `${clerkPort}`])
    await server.prints("Ctrl-C stops")
    return {
      server,
      port,
      signIn: (connect: typeof connectV1) => {
        const person = new Person({ url, clerk: { url: `http://localhost:${clerkPort}` } }, email)
        return connect(`${url}/mcp`, new Login(person, { scopes }))
      },
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]()
    }
  }

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), "clerk-mcp-package-"))
    // `npm pack` builds first, with the compiler of this repository.
    await run(root, "npm", "pack", "--pack-destination", home)
    tarball = join(home, readdirSync(home).find((name) => name.endsWith(".tgz")) ?? "")
  })
  afterAll(() => rmSync(home, { recursive: true, force: true }))

  it("holds the library, the command line with the stand-in and the template, and nothing of the sample", async () => {
    const files = (await run(home, "tar", "-tzf", tarball)).split("\n")
    for (const file of [
      "dist/src/server/index.js",
      "dist/src/server/index.d.ts",
      "dist/src/server/Worker.js",
      "dist/src/server/testing/index.js",
      "dist/dev/cli.js",
      "dist/dev/Vitest.js",
      "dist/dev/clerk/ClerkStandIn.js",
      "docs/writing-tools.md",
      "template/_gitignore",
      "template/policy.lock",
      "template/src/worker.ts",
      "README.md",
      "CHANGELOG.md",
      "LICENSE"
    ]) {
      assert.include(files, `package/${file}`)
    }
    const foreign = files.filter(
      (file) => !/^package\/(?:dist\/(?:src\/server|dev)\/|template\/|docs\/|[^/]*$)/u.test(file)
    )
    assert.deepStrictEqual(foreign, [""])
  })

  it("writes a server, with the Node that the machine has", async () => {
    const said = await run(home, "npx", "--yes", "--prefer-offline", "--package", tarball, "clerk-mcp", "init", "acme")
    assert.include(said, "Acme is in acme. Next:")
  })

  it("is installed from its tarball, with one copy of effect", async () => {
    await run(acme(), "npm", "install", "--prefer-offline", "--no-audit", "--no-fund")
    const copies = JSON.parse(await run(acme(), "npm", "query", "#effect")) as ReadonlyArray<unknown>
    assert.lengthOf(copies, 1)
  })

  it("serves the team's tool to clients that sign in, with the team's own settings", async () => {
    writeFileSync(
      join(acme(), ".dev.vars"),
      'LOW_STOCK="13"\nCLERK_SECRET_KEY="sk_live_of_a_real_instance"\nPUBLIC_URL="https://mcp.example"\n'
    )
    await using started = await startAcme(["stock:read"])
    assert.match(started.server.printed, /From \.dev\.vars\s+LOW_STOCK\n/u)
    for (const connect of [connectV1, connectV2({ pin: "2026-07-28" })]) {
      const client = await started.signIn(connect)
      assert.deepStrictEqual(await client.tools(), ["checkStock"])
      // There are twelve chairs, which are few only where .dev.vars says so.
      const { structuredContent } = await client.call("checkStock", { product: "chair" })
      assert.deepStrictEqual(structuredContent, { count: 12, low: true })
      const unknown = await client.call("checkStock", { product: "unicorn" })
      assert.isTrue(unknown.isError)
      assert.include(unknown.content[0]?.text, 'There is no product "unicorn".')
      await client.close()
    }
  })

  it("has tests that pass, in under 30 s", async () => {
    const start = performance.now()
    assert.match(await run(acme(), "npm", "test"), /Tests\s+\d+ passed/u)
    assert.isBelow(performance.now() - start, 30_000)
  })

  it("passes its own check, and could be deployed", async () => {
    const checked = await run(acme(), "npm", "run", "check")
    for (const words of ["policy.lock is current.", "minified and gzipped: within"]) assert.include(checked, words)
    assert.include(await run(acme(), "npx", "wrangler", "deploy", "--dry-run", "--env="), "--dry-run: exiting now.")
  })

  it("leaves the team what it needs: tools on D1, a secret, a resource that may not be there, a prompt", async () => {
    cpSync(join(import.meta.dirname, "team"), acme(), { recursive: true })
    const dice = readFileSync(join(root, "test/readme/Dice.ts"), "utf8")
    writeFileSync(join(acme(), "src/tools/Dice.ts"), dice.replace("../../src/server/index.ts", "clerk-mcp-worker"))
    const wrangler = readFileSync(join(acme(), "wrangler.jsonc"), "utf8")
      .replaceAll('"LOW_STOCK": "5"', '"LOW_STOCK": "5", "ORDERS_AT_ONCE": "2"')
      .replaceAll(
        '"kv_namespaces"',
        '"d1_databases": [{ "binding": "ORDERS", "database_name": "orders" }], "kv_namespaces"'
      )
    writeFileSync(join(acme(), "wrangler.jsonc"), wrangler)
    writeFileSync(join(acme(), ".dev.vars"), 'ORDERS_KEY="acme"\n')

    const written = await run(acme(), "npm", "run", "policy", "--", "--write")
    assert.include(written, "tool listOrders: is new, for anybody with scope orders:read")
    assert.include(await run(acme(), "npm", "run", "check"), "minified and gzipped: within")
    assert.match(await run(acme(), "npm", "test"), /Tests\s+6 passed/u)

    await using started = await startAcme(["stock:read", "orders:read"], "premium@example.com")
    const rows = ["o1", "o2", "o3"].map((id) => `('${id}', 'chair', 4, 'acme')`)
    const orders = `CREATE TABLE orders (id, product, pieces, shop_key);
      INSERT INTO orders VALUES ${rows.join()}, ('x1', 'chair', 4, 'other')`
    const database = ["--local", "--env=local", `--persist-to=.wrangler/start-${started.port}`]
    await run(acme(), "npx", "wrangler", "d1", "execute", "ORDERS", ...database, "--command", orders)
    const client = await started.signIn(connectV1)
    assert.deepStrictEqual((await client.tools()).toSorted(), ["checkStock", "listOrders", "rollDice"])
    const order = (id: string) => ({ id, product: "chair", pieces: 4 })
    const { structuredContent } = await client.call("listOrders", { product: "chair" })
    assert.deepStrictEqual(structuredContent, { orders: [order("o1"), order("o2")] })
    assert.include(JSON.stringify(await client.read("orders://o3")), "chair")
    const missing = await client.read("orders://x1").catch((error: unknown) => error)
    assert.include(String(missing), "Order x1 not found")
    assert.include(JSON.stringify(await client.prompt("orderSummary", { product: "chair" })), "o1 (4), o2 (4)")
    await client.close()
  })

  it("has types, for teams that resolve as bundlers do or as Node does", async () => {
    // Where a declaration is not found, everything is `any` and nothing is an error.
    writeFileSync(
      join(acme(), "src/Types.ts"),
      `import { CurrentUser, Policy } from "clerk-mcp-worker"
import { callTool } from "clerk-mcp-worker/testing"
import { make } from "clerk-mcp-worker/worker"
// @ts-expect-error -- no server without a catalogue
make({ name: "acme" })
// @ts-expect-error -- names of scopes
Policy.scopes(1)
// @ts-expect-error -- names of tools, not numbers
callTool(1)
// @ts-expect-error -- no service without a request
CurrentUser.nothing
`
    )
    const node = { extends: "./tsconfig.json", compilerOptions: { module: "nodenext", moduleResolution: "nodenext" } }
    writeFileSync(join(acme(), "tsconfig.node.json"), JSON.stringify(node))
    await Promise.all([run(acme(), "npx", "tsc"), run(acme(), "npx", "tsc", "-p", "tsconfig.node.json")])
  })
})
