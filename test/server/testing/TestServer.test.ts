import { assert, describe, it } from "@effect/vitest"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { CurrentOrganization, Policy, Settings } from "../../../src/server/index.ts"
import { Catalogue } from "../../../src/server/mcp/Catalogue.ts"
import { ClerkApi, testServer, type TestUser } from "../../../src/server/testing/index.ts"
import { clerkUser } from "../../../src/server/testing/TestUser.ts"
import { testApp } from "../../support/TestApp.ts"
import * as People from "../fixture/People.ts"

describe("testServer", () => {
  it("signs each user in as who they are, on what their client was granted", async () => {
    const server = testApp()
    const [ada, mina] = [await server.connect({ id: "user_ada" }), await server.connect({ id: "user_mina" })]
    const names = async (client: typeof ada) => (await client.listTools()).tools.map(({ name }) => name)
    assert.notDeepEqual(await names(ada), await names(mina))
    assert.strictEqual(server.clerk.calls, 2)
  })

  it("lets a test take a role away, and lets time pass", async () => {
    const server = testApp()
    const before = (await (await server.connect({ id: "user_ada" })).listTools()).tools.length
    server.clerk.users.set("user_ada", {})
    server.wait(61)
    assert.isBelow((await (await server.connect({ id: "user_ada" })).listTools()).tools.length, before)
    assert.deepEqual(server.accounts.told, ["user_ada"])
  })

  it("takes a layer of the test's own in place of a stand-in", async () => {
    const clerk = Layer.mock(ClerkApi, {
      user: (id) => Effect.succeed(clerkUser({ id, firstName: "Grace" })),
      memberships: () => Effect.succeed([])
    })
    const server = testServer(
      { catalogue: Catalogue.layer(Catalogue.tools(People.toolkit, People.layer)) },
      { outside: clerk }
    )
    const { structuredContent } = await (await server.connect({})).callTool({ name: "whoAmI", arguments: {} })
    assert.deepInclude(structuredContent, { firstName: "Grace" })
  })

  it("rejects with the settings that are missing", async () => {
    class Acme extends Settings.make<Acme>()(
      "test/Acme",
      Schema.Struct({ ACME_REGION: Schema.String.annotate({ description: "where the data is" }) })
    ) {}
    const catalogue = Catalogue.layer(Catalogue.tools(People.toolkit, People.layer))
    const error = await testServer({ catalogue, settings: [Acme] })
      .connect({})
      .catch((rejected: unknown) => rejected)
    assert.deepInclude(error, {
      _tag: "ConfigurationError",
      problems: [{ name: "ACME_REGION", problem: "missing", expected: "where the data is" }]
    })
  })
})

describe("a server for members of two organizations", () => {
  const Read = Tool.make("read", { success: Schema.Struct({ of: Schema.String }), dependencies: [CurrentOrganization] })
  const toolkit = Toolkit.make(
    Read.annotate(Policy.Required, Policy.permission("org:books:read")),
    Tool.make("lead", { success: Schema.Struct({}) }).annotate(Policy.Required, Policy.organizationRole("org:admin")),
    Tool.make("meet", { success: Schema.Struct({}) }).annotate(Policy.Required, Policy.inOrganization),
    Tool.make("rest", { success: Schema.Struct({}) }).annotate(Policy.Required, Policy.signedIn)
  )
  const layer = toolkit.toLayer({
    read: () => Effect.map(CurrentOrganization.required, ({ name }) => ({ of: name })),
    lead: () => Effect.succeed({}),
    meet: () => Effect.succeed({}),
    rest: () => Effect.succeed({})
  })
  const ada: TestUser = {
    organizations: [
      { id: "org_acme", name: "Acme", permissions: ["org:books:read"] },
      { id: "org_globex", name: "Globex", role: "org:admin" }
    ]
  }

  for (const [organization, allowed] of [
    ["org_acme", ["read", "meet", "rest"]],
    ["org_globex", ["lead", "meet", "rest"]],
    ["personal", ["rest"]]
  ] as const) {
    it(`lists and serves what the user may in ${organization}, and nothing of the other`, async () => {
      const server = testServer({ catalogue: Catalogue.layer(Catalogue.tools(toolkit, layer)) }, { users: [ada] })
      const client = await server.connect(ada, { organization })
      const { tools } = await client.listTools()
      assert.deepStrictEqual(
        tools.map(({ name }) => name),
        [...allowed]
      )
      for (const name of Object.keys(toolkit.tools)) {
        const result = await client.callTool({ name, arguments: {} })
        assert.strictEqual(
          result.isError !== true,
          allowed.some((each) => each === name),
          name
        )
        if (name === "read" && result.isError !== true) assert.deepEqual(result.structuredContent, { of: "Acme" })
      }
    })
  }
})
