import { assert, describe, it } from "@effect/vitest"
import * as Tool from "effect/ai/Tool"

import { Policy, Role } from "../../src/server/index.ts"
import * as Manifest from "../../src/server/mcp/Manifest.ts"
import * as Tools from "../../src/tools/Tools.ts"
import { functionCalling, type JsonSchema, objectFaults, schemasIn } from "../support/FunctionCalling.ts"

const name = /^[A-Za-z0-9_-]{1,60}$/u
const tools = Object.entries(Tools.toolkitWithApp.tools).map(([name, tool]) => ({ definition: tool as Tool.Any, name }))

describe("the tools of the server", () => {
  it("are there", () => {
    assert.includeMembers(
      tools.map(({ name }) => name),
      ["add", "userInfo", "generateImage", "signOutEverywhere"]
    )
    assert.strictEqual(new Set(tools.map(({ name }) => name)).size, tools.length)
  })

  for (const tool of tools) {
    const { listed } = Manifest.tool(tool.name, tool.definition)

    it(`${tool.name} has a name, a title and a description that every client takes`, () => {
      assert.match(listed.name, name)
      assert.isAbove(listed.title.length, 3)
      assert.notStrictEqual(listed.title, listed.name)
      assert.isAbove(listed.description.length, 10)
    })

    it(`${tool.name} takes an object, refuses what it does not know, and describes every parameter`, () => {
      assert.deepStrictEqual(objectFaults(listed.inputSchema), [])
      assert.strictEqual(listed.inputSchema["additionalProperties"], false)
      const properties = Object.entries(listed.inputSchema["properties"] ?? {})
      for (const [parameter, schema] of properties) {
        const { description } = schema as { readonly description?: string }
        assert.isAbove(description?.length ?? 0, 5, parameter)
      }
      for (const { schema } of schemasIn(listed.inputSchema)) {
        if (schema["type"] === "object") assert.strictEqual(schema["additionalProperties"], false)
      }
    })

    it(`${tool.name} answers with an object`, () => {
      assert.deepStrictEqual(objectFaults(listed.outputSchema), [])
      assert.isAbove(Object.keys(listed.outputSchema["properties"] ?? {}).length, 0)
    })

    it(`${tool.name} says itself whether it reads, destroys, repeats and reaches out`, () => {
      const annotated = [Tool.Readonly, Tool.Destructive, Tool.Idempotent, Tool.OpenWorld]
      for (const { key } of annotated) assert.isTrue(tool.definition.annotations.mapUnsafe.has(key), key)
      const { readOnlyHint, destructiveHint } = listed.annotations
      assert.isFalse(readOnlyHint && destructiveHint)
    })

    it(`${tool.name} shows no pattern that a client's validator would choke on`, () => {
      for (const schema of [listed.inputSchema, listed.outputSchema]) {
        for (const [, pattern = ""] of JSON.stringify(schema).matchAll(/"pattern":"((?:[^"\\]|\\.)*)"/gu)) {
          assert.doesNotThrow(() => new RegExp(JSON.parse(`"${pattern}"`) as string, "u"))
        }
      }
    })
  }

  it("can be handed to the function calls of Anthropic, OpenAI and Gemini as they are advertised", () => {
    for (const { name, definition } of tools) {
      const { description, inputSchema: parameters } = Manifest.tool(name, definition).listed
      for (const [api, faults] of Object.entries(functionCalling)) {
        assert.deepStrictEqual(faults({ name, description, parameters }), [], `${api} and ${name}`)
      }
    }
  })

  it("advertise what is optional with its default", () => {
    const { listed } = Manifest.tool("generateImage", Tools.toolkit.tools.generateImage)
    assert.deepStrictEqual(listed.inputSchema["required"], ["prompt"])
    const { steps } = listed.inputSchema["properties"] as Readonly<Record<string, JsonSchema>>
    assert.deepInclude(steps, { type: "integer", default: 4, minimum: 4, maximum: 8 })
  })

  it("keep the bytes of an image out of the structured output", () => {
    const { listed } = Manifest.tool("generateImage", Tools.toolkit.tools.generateImage)
    assert.sameMembers(Object.keys(listed.outputSchema["properties"] ?? {}), [
      "mediaType",
      "steps",
      "model",
      "placeholder"
    ])
  })
})

describe("the prompts and resources of the server", () => {
  it("lists a prompt with its arguments, and which of them are needed", () => {
    const [prompt] = Tools.offer.prompts
    assert.deepStrictEqual(prompt && Manifest.prompt(prompt).listed.arguments, [
      { name: "audience", description: "Who will read the introduction", required: true }
    ])
  })

  it("lists resources with what they are", () => {
    for (const resource of Tools.offer.resources) {
      const { listed } = Manifest.resource(resource)
      assert.match(listed.uri, /^[a-z]+:\/\/./u)
      assert.strictEqual(listed.mimeType, "application/json")
      assert.isAbove(listed.description.length, 10)
    }
  })
})

describe("the policies of the server", () => {
  const offered = [
    ...Object.entries(Tools.toolkitWithApp.tools).map(([name, tool]) => Manifest.tool(name, tool as Tool.Any).policy),
    ...[...Tools.offer.resources, ...Tools.offer.prompts].map(({ policy }) => policy)
  ]
  const scopes = new Set(["mcp:tools", "images:generate", "connections:manage", "app:read"])

  it("admit somebody to every tool, resource and prompt", () => {
    const everyone = ["admin", "premium", "image_generation"].map((role) => ({
      role: Role.make(role),
      permissions: new Set<string>(),
      scopes
    }))
    assert.isAtLeast(offered.length, 5)
    for (const policy of offered) {
      assert.isTrue(everyone.some((facts) => Policy.evaluate(policy, facts)._tag === "Allowed"))
    }
  })
})
