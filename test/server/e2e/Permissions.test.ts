import { assert, layer } from "@effect/vitest"

import { onServer, RunningServer } from "../../support/RunningServer.ts"
import { connectV1, connectV2, Login } from "../../support/SdkClients.ts"
import { challengeOf, legacy, modern } from "../../support/Wire.ts"

const clients = [
  { name: "SDK v1", connect: connectV1 },
  { name: "SDK v2, pinned to 2026-07-28", connect: connectV2({ pin: "2026-07-28" }) }
] as const

/** The analyst of the demo may read reports in Harbor Analytics, and is a plain member of Northwind Studio. */
const email = "analyst@example.com"
const organizations = [
  { slug: "harbor-analytics", name: "Harbor Analytics", allowed: true },
  { slug: "northwind-studio", name: "Northwind Studio", allowed: false }
] as const

layer(RunningServer.layer)("a permission in one of two organizations", (it) => {
  for (const { name, connect } of clients) {
    it.effect(
      `${name}: opens a tool for the one that was chosen, or that the address names, and stays hidden in the other`,
      onServer(async (server) => {
        const known = await server.admin((admin) => admin.organizations)
        for (const { slug, name: organization, allowed } of organizations) {
          const { id = "" } = known.find((one) => one.slug === slug) ?? {}
          for (const [address, choice] of [
            [server.mcp, { organization: id }],
            [`${server.mcp}/${slug}`, {}]
          ] as const) {
            const client = await connect(address, new Login(server.person(email), choice))
            const { structuredContent } = await client.call("whoAmI", {})
            assert.deepInclude(structuredContent as object, { organization })
            assert.strictEqual((await client.tools()).includes("readReports"), allowed, address)
            const answer = await client.call("readReports", {})
            if (allowed) {
              assert.notOk(answer.isError)
              assert.deepStrictEqual(answer.structuredContent, { of: organization })
            } else {
              assert.isTrue(answer.isError)
              assert.match(answer.content[0]?.text ?? "", /permission org:reports:read in your organization/u)
            }
            await client.close()
          }
        }
      })
    )
  }

  it.effect(
    "comes with a token that is good at its own address only: another one answers 401 and names its own metadata",
    onServer(async (server) => {
      const addresses = [server.mcp, ...organizations.map(({ slug }) => `${server.mcp}/${slug}`)]
      const tokens = new Map<string, string>()
      for (const address of addresses) {
        const login = new Login(server.person(email))
        await (await connectV1(address, login)).close()
        tokens.set(address, login.tokens()?.access_token ?? "")
      }
      for (const [own, token] of tokens) {
        for (const address of addresses) {
          for (const send of [modern, legacy]) {
            const { status, headers } = await send(address, token, "tools/list")
            assert.strictEqual(status, own === address ? 200 : 401, `the token of ${own} at ${address}`)
            if (own === address) continue
            const metadata = new URL(`/.well-known/oauth-protected-resource${new URL(address).pathname}`, server.url)
            assert.strictEqual(challengeOf(headers)["resource_metadata"], metadata.href)
          }
        }
      }
    })
  )
})
