import { assert, layer } from "@effect/vitest"
import { decode } from "fast-png"

import { InspectorCli } from "../../support/InspectorCli.ts"
import { OAuthClient } from "../../support/OAuthClient.ts"
import { onServer, RunningServer, type Server } from "../../support/RunningServer.ts"

const withImages = { scopes: ["paint:use"] }

interface Answer {
  readonly tools?: ReadonlyArray<{ readonly name: string }>
  readonly isError?: boolean
  readonly structuredContent?: Readonly<Record<string, unknown>>
  readonly content?: ReadonlyArray<{ readonly text?: string; readonly data?: string; readonly mimeType?: string }>
}

type Lane = "legacy" | "modern" | "sse"

/** The Inspector with the token of somebody, and the `result` in what it prints. */
const inspecting = async (server: Server, email: string, lane: Lane) => {
  const sse = lane === "sse"
  const address = sse ? `${server.url}/sse` : server.mcp
  const { accessToken } = await server.signIn(email, { ...withImages, client: await OAuthClient.register(address) })
  const inspector = await InspectorCli.make(address, sse ? "sse" : "http")
  const era = ["--protocol-era", sse ? "legacy" : lane]
  const run = (...args: ReadonlyArray<string>) =>
    inspector.run(...era, "--header", `Authorization: Bearer ${accessToken}`, ...args)
  const ask = async (...args: ReadonlyArray<string>): Promise<Answer> => {
    const { code, stdout, stderr } = await run(...args)
    if (stdout === "") throw new Error(`exit ${code}: ${stderr}`)
    const { result } = JSON.parse(stdout) as { readonly result: Answer }
    return result
  }
  const call = (name: string, args: unknown) =>
    ask("--method", "tools/call", "--tool-name", name, "--tool-args-json", JSON.stringify(args))
  return { inspector, run, ask, call }
}

const namesIn = ({ tools = [] }: Answer) => tools.map(({ name }) => name)

layer(RunningServer.layer)("the MCP Inspector", (it) => {
  for (const lane of ["legacy", "modern", "sse"] as const) {
    it.effect(
      `${lane}: an administrator lists and calls every tool`,
      onServer(async (server) => {
        const { inspector, ask, call } = await inspecting(server, "admin@example.com", lane)
        await using _ = inspector
        const [list, sum, info, image] = await Promise.all([
          ask("--method", "tools/list", "--strict"),
          call("sum", { a: 2, b: 3 }),
          call("whoAmI", {}),
          call("paint", { prompt: "a pier", steps: 4 })
        ])
        assert.sameMembers(namesIn(list), ["sum", "whoAmI", "paint", "endOthers"])
        assert.deepStrictEqual(sum.structuredContent, { sum: 5 })
        assert.deepInclude(info.structuredContent, { email: "admin@example.com", role: "admin" })
        assert.deepInclude(image.structuredContent, { mediaType: "image/png", colour: "red" })
        const picture = image.content?.find(({ mimeType }) => mimeType === "image/png")
        assert.strictEqual(decode(Buffer.from(picture?.data ?? "", "base64")).width, 1)
      })
    )

    it.effect(
      `${lane}: a member neither sees nor gets the image tool`,
      onServer(async (server) => {
        const { inspector, ask, run } = await inspecting(server, "member@example.com", lane)
        await using _ = inspector
        const image = ["--tool-name", "paint", "--tool-args-json", '{"prompt":"x"}']
        const [list, refused] = await Promise.all([
          ask("--method", "tools/list"),
          run("--method", "tools/call", ...image)
        ])
        assert.sameMembers(namesIn(list), ["sum", "whoAmI", "endOthers"])
        // It calls nothing that is not in the list.
        assert.deepStrictEqual([refused.code, refused.stdout], [5, ""])
        assert.include(refused.stderr, '"tool_not_found"')
      })
    )
  }

  for (const [transport, path] of [
    ["http", "/mcp"],
    ["sse", "/sse"]
  ] as const) {
    it.effect(
      `signs somebody in by itself, in a browser, and lists the tools of ${path}`,
      onServer(async (server) => {
        await using inspector = await InspectorCli.make(`${server.url}${path}`, transport)
        const person = server.person("premium@example.com")
        const run = await inspector.runSigningIn(person, withImages, "--method", "tools/list")
        assert.strictEqual(run.code, 0, run.stderr)
        const { result } = JSON.parse(run.stdout) as { readonly result: Answer }
        assert.sameMembers(namesIn(result), ["sum", "whoAmI", "paint", "endOthers"])
      })
    )
  }
})
