import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readFileSync } from "node:fs"
import { join } from "node:path"

import { UserStoreError } from "../../src/server/capability/UserStore.ts"
import { defaultLimits } from "../../src/server/capability/UserStoreWrite.ts"
import { Catalogue } from "../../src/server/index.ts"
import { callTool, testServer } from "../../src/server/testing/index.ts"
import { Audit, audited } from "./Audit.ts"
import * as Dice from "./Dice.ts"
import * as Invoices from "./Invoices.ts"
import * as Rates from "./Rates.ts"

const text = (path: string) => readFileSync(join(import.meta.dirname, path), "utf8")
const guide = text("../../docs/writing-tools.md") + text("../../docs/policies-and-organizations.md")

describe("the guide to writing tools", () => {
  it("quotes the programs that run here", () => {
    for (const file of ["Todos.ts", "Rates.ts", "Invoices.ts", "Audit.ts"]) {
      assert.include(guide, text(file).replaceAll('"../../src/', '"../'))
    }
  })

  it("names the limits of the store, and every reason why it fails", () => {
    const { valueBytes, userBytes } = defaultLimits
    assert.include(guide, `${valueBytes / 1024} KiB as JSON, and all values of a user ${userBytes / 1024 / 1024} MiB`)
    for (const reason of UserStoreError.fields.reason.members) assert.include(guide, `\`${reason.identifier}\``)
  })

  it("shows a resource and a prompt that need a service, and say when there is nothing", async () => {
    const catalogue = Catalogue.layer(Rates.rate, Rates.explainRate).pipe(Layer.provide(Rates.Rates.layer))
    const client = await testServer({ catalogue }).connect({})
    assert.include(JSON.stringify(await client.readResource({ uri: "rates://USD" })), "1.1")
    const prompt = await client.getPrompt({ name: "explainRate", arguments: { currency: "JPY" } })
    assert.include(JSON.stringify(prompt), "170 JPY")
    const missing = await client.readResource({ uri: "rates://XXX" }).catch((error: unknown) => error)
    assert.include(String(missing), "Currency XXX not found")
  })

  it.effect("shows a tool of an organization, for whoever may in the one that the connection is for", () => {
    const books = Layer.succeed(Invoices.Books, { openInvoices: (of) => Effect.succeed(of === "org_acme" ? 3 : 0) })
    const call = callTool(Invoices.toolkit, Layer.provide(Invoices.layer, books))
    const organizations = [
      { id: "org_acme", name: "Acme", permissions: ["org:invoices:read"] },
      { id: "org_globex", name: "Globex" }
    ]
    return Effect.gen(function* () {
      const open = yield* call("openInvoices", {}, { as: { organizations } })
      assert.deepStrictEqual(open, { organization: "Acme", open: 3 })
      for (const organization of ["org_globex", null]) {
        const refused = yield* Effect.flip(call("openInvoices", {}, { as: { organizations, organization } }))
        assert.include(refused.message, "permission org:invoices:read in your organization, role org:admin in")
      }
    })
  })

  it("shows a middleware that writes down calls, and refuses some", async () => {
    const lines: Array<string> = []
    let open = true
    const audit = Layer.succeed(Audit, {
      open: Effect.sync(() => open),
      write: (line) => Effect.sync(() => void lines.push(line))
    })
    const catalogue = Catalogue.layer(Catalogue.tools(Dice.toolkit, Dice.layer)).pipe(
      Layer.provide(Layer.provide(audited, audit))
    )
    const client = await testServer({ catalogue }, { users: [{ role: "admin" }] }).connect({})
    const roll = () => client.callTool({ name: "rollDice", arguments: { count: 1 } })
    assert.isNotOk((await roll()).isError)
    open = false
    assert.include(JSON.stringify(await roll()), "We are closed.")
    assert.deepStrictEqual(lines, ["user_ada rollDice Success"])
  })
})
