import { assert, layer } from "@effect/vitest"
import { decode } from "fast-png"

import { GrantId } from "../../../src/server/domain/Principal.ts"
import { onServer, RunningServer } from "../../support/RunningServer.ts"
import { connectV1, connectV2, Login } from "../../support/SdkClients.ts"

const clients = [
  { name: "SDK v1", version: "2025-11-25", connect: connectV1 },
  { name: "SDK v2, 2025 era", version: "2025-11-25", connect: connectV2("legacy") },
  { name: "SDK v2, pinned to 2026-07-28", version: "2026-07-28", connect: connectV2({ pin: "2026-07-28" }) },
  { name: "SDK v2, finding out by itself", version: "2026-07-28", connect: connectV2("auto") }
] as const

const withImages = { scopes: ["paint:use"] }

layer(RunningServer.layer)("real clients", (it) => {
  for (const { name, version, connect } of clients) {
    it.effect(
      `${name}: an administrator signs in and uses every tool`,
      onServer(async (server) => {
        const login = new Login(server.person("admin@example.com"), withImages)
        const client = await connect(server.mcp, login)
        assert.strictEqual(client.protocolVersion, version)
        assert.strictEqual(login.asked, 1)
        assert.sameMembers(login.tokens()?.scope?.split(" ") ?? [], ["mcp:tools", "paint:use"])
        assert.sameMembers([...(await client.tools())], ["sum", "whoAmI", "paint", "endOthers"])

        const sum = await client.call("sum", { a: 2, b: 40 })
        assert.deepStrictEqual(sum.structuredContent, { sum: 42 })
        assert.deepStrictEqual(sum.content, [{ type: "text", text: '{"sum":42}' }])
        assert.notOk(sum.isError)

        const info = await client.call("whoAmI", {})
        const { admin } = server.clerk.users
        assert.deepInclude(info.structuredContent as object, { userId: admin.id, email: admin.email, role: "admin" })

        const reports: Array<number> = []
        const image = await client.call(
          "paint",
          { prompt: "a lighthouse", steps: 5 },
          { onProgress: ({ progress, total }) => reports.push(progress / (total ?? 1)) }
        )
        assert.deepStrictEqual(reports, [0.2, 0.4, 0.6, 0.8, 1])
        assert.deepStrictEqual(image.structuredContent, {
          mediaType: "image/png",
          steps: 5,
          colour: "red"
        })
        const [words, picture] = image.content
        assert.strictEqual(words?.text, "Painted in red.")
        assert.deepInclude(picture as object, { type: "image", mimeType: "image/png" })
        const png = decode(Buffer.from(picture?.data ?? "", "base64"))
        assert.deepStrictEqual([png.width, png.height], [1, 1])
        await client.close()
      })
    )

    it.effect(
      `${name}: a member sees no image tool and is refused when calling it`,
      onServer(async (server) => {
        const client = await connect(server.mcp, new Login(server.person("member@example.com"), withImages))
        assert.sameMembers([...(await client.tools())], ["sum", "whoAmI", "endOthers"])
        const refused = await client.call("paint", { prompt: "a lighthouse" })
        assert.isTrue(refused.isError)
        assert.match(
          refused.content[0]?.text ?? "",
          /^Your account may not use this\. It needs one of: role admin, role premium, role image_generation\. Reference [A-Z2-9]{8}$/u
        )
        assert.lengthOf(refused.content, 1)
        assert.notProperty(refused, "structuredContent")
        await client.close()
      })
    )

    it.effect(
      `${name}: signs in again at the address of an organization once its connection there has ended`,
      onServer(async (server) => {
        const login = new Login(server.person("admin@example.com"))
        const client = await connect(`${server.mcp}/northwind-studio`, login)
        assert.strictEqual(login.asked, 1)
        const [userId = "", grantId = ""] = (login.tokens()?.access_token ?? "").split(":")
        await (await server.object(userId)).end(GrantId.make(grantId))
        await client.close()
        // It refreshes, learns that the connection has ended, forgets its tokens, and takes the person to the sign-in.
        const again = await connect(`${server.mcp}/northwind-studio`, login)
        assert.deepStrictEqual((await again.call("sum", { a: 2, b: 40 })).structuredContent, { sum: 42 })
        assert.strictEqual(login.asked, 2)
        await again.close()
      })
    )

    it.effect(
      `${name}: reads the resource and gets the prompt`,
      onServer(async (server) => {
        const client = await connect(server.mcp, new Login(server.person("premium@example.com")))
        const { contents } = (await client.read("fixture://me")) as {
          readonly contents: ReadonlyArray<{ text: string }>
        }
        assert.lengthOf(contents, 1)
        assert.deepInclude(contents[0] as object, { uri: "fixture://me", mimeType: "application/json" })
        const { premium } = server.clerk.users
        const me = JSON.parse(contents[0]?.text ?? "") as object
        assert.deepInclude(me, { userId: premium.id, email: premium.email, role: "premium" })
        assert.doesNotHaveAnyKeys(me, ["takenAt", "permissions"])
        const prompt = (await client.prompt("introduce", { audience: "pilots" })) as {
          readonly messages: ReadonlyArray<{ readonly role: string; readonly content: { readonly text: string } }>
        }
        assert.strictEqual(prompt.messages[0]?.content.text, "Introduce Priya to pilots")
        await client.close()
      })
    )
  }
})
