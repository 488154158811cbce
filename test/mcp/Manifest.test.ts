import { assert, describe, it } from "@effect/vitest"
import * as Tool from "effect/ai/Tool"
import * as Schema from "effect/Schema"

import * as Policy from "../../src/access/Policy.ts"
import * as Manifest from "../../src/mcp/Manifest.ts"
import * as Tools from "../../src/tools/Tools.ts"

type JsonSchema = Readonly<Record<string, unknown>>

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** What is wrong with the schema of an object at the root, as clients have trouble with it. */
const faults = (schema: JsonSchema): ReadonlyArray<string> => [
  ...(schema["type"] === "object" ? [] : ["the root is no object"]),
  ...["anyOf", "oneOf", "allOf", "$ref"].filter((keyword) => keyword in schema).map((keyword) => `root ${keyword}`)
]

/** Every object of a schema, at any depth. */
const objectsIn = (schema: unknown): ReadonlyArray<JsonSchema> =>
  Array.isArray(schema)
    ? schema.flatMap(objectsIn)
    : isSchema(schema)
      ? [...(isSchema(schema["properties"]) ? [schema] : []), ...Object.values(schema).flatMap(objectsIn)]
      : []

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
      assert.deepStrictEqual(faults(listed.inputSchema), [])
      assert.strictEqual(listed.inputSchema["additionalProperties"], false)
      const properties = Object.entries(listed.inputSchema["properties"] ?? {})
      for (const [parameter, schema] of properties) {
        const { description } = schema as { readonly description?: string }
        assert.isAbove(description?.length ?? 0, 5, parameter)
      }
      for (const object of objectsIn(listed.inputSchema)) assert.strictEqual(object["additionalProperties"], false)
    })

    it(`${tool.name} answers with an object`, () => {
      assert.deepStrictEqual(faults(listed.outputSchema), [])
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

describe("Manifest", () => {
  it("lets nobody use a tool that carries no policy", () => {
    const bare = Tool.make("bare", { description: "Does something.", success: Schema.Struct({}) })
    assert.deepStrictEqual(Manifest.tool("bare", bare).policy, Policy.nobody)
  })

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
