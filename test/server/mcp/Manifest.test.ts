import { assert, describe, it } from "@effect/vitest"
import * as Tool from "effect/ai/Tool"
import * as Schema from "effect/Schema"

import * as Policy from "../../../src/server/access/Policy.ts"
import * as Manifest from "../../../src/server/mcp/Manifest.ts"
import { functionCalling, type JsonSchema, objectFaults, schemasIn } from "../../support/FunctionCalling.ts"
import { toolkitWithApp } from "../fixture/Catalogue.ts"
import { introduce, me } from "../fixture/People.ts"

const tools = Object.entries(toolkitWithApp.tools).map(([name, tool]) => ({ definition: tool as Tool.Any, name }))

describe("the tools of the fixture", () => {
  for (const { name, definition } of tools) {
    const { listed } = Manifest.tool(name, definition)
    it(`${name} takes and answers objects that say what is in them, and takes nothing else`, () => {
      for (const schema of [listed.inputSchema, listed.outputSchema]) assert.deepStrictEqual(objectFaults(schema), [])
      for (const { schema } of schemasIn(listed.inputSchema)) {
        if (schema["type"] === "object") assert.strictEqual(schema["additionalProperties"], false)
      }
    })

    it(`${name} can be handed to the function calls of Anthropic, OpenAI and Gemini as it is advertised`, () => {
      const { description, inputSchema: parameters } = listed
      for (const [api, faults] of Object.entries(functionCalling)) {
        assert.deepStrictEqual(faults({ name, description, parameters }), [], api)
      }
    })
  }

  it("advertise title and hints as they are annotated, and a parameter with its default", () => {
    const { title, annotations } = Manifest.tool("sum", toolkitWithApp.tools.sum).listed
    assert.strictEqual(title, "Add two numbers")
    const hints = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false }
    assert.deepStrictEqual(annotations, hints)
    const { inputSchema } = Manifest.tool("paint", toolkitWithApp.tools.paint).listed
    assert.deepStrictEqual(inputSchema["required"], ["prompt"])
    const { steps } = inputSchema["properties"] as Readonly<Record<string, JsonSchema>>
    assert.deepInclude(steps, { type: "integer", default: 4, minimum: 4, maximum: 8 })
  })

  it("keep bytes out of the structured output", () => {
    const { outputSchema } = Manifest.tool("paint", toolkitWithApp.tools.paint).listed
    assert.sameMembers(Object.keys(outputSchema["properties"] ?? {}), ["mediaType", "steps", "colour"])
  })
})

describe("Manifest", () => {
  it("lets nobody use a tool that carries no policy", () => {
    const bare = Tool.make("bare", { description: "Does something.", success: Schema.Struct({}) })
    assert.deepStrictEqual(Manifest.tool("bare", bare).policy, Policy.nobody)
  })

  it("says of every object which properties it has, and writes out what a schema only refers to", () => {
    class Place extends Schema.Class<Place>("Place")({ city: Schema.String, tags: Schema.Struct({}) }) {}
    const parameters = Schema.Struct({
      from: Place,
      to: Schema.optionalKey(Schema.NullOr(Place)),
      labels: Schema.Record(Schema.String, Schema.String),
      // Words of JSON Schema as names, and as data.
      properties: Schema.Array(Place),
      not: Schema.String,
      default: Schema.Struct({ type: Schema.Literal("object") }).annotate({ default: { type: "object" } })
    })
    for (const schema of [parameters, Place, Schema.Struct({}), Schema.Record(Schema.String, Schema.Finite)]) {
      assert.deepStrictEqual(objectFaults(Manifest.jsonSchema(schema)), [])
    }
    const properties = Manifest.jsonSchema(parameters)["properties"] as JsonSchema
    const tags = { type: "object", properties: {}, additionalProperties: false }
    const place = {
      type: "object",
      properties: { city: { type: "string" }, tags },
      required: ["city", "tags"],
      additionalProperties: false
    }
    assert.deepStrictEqual(properties["from"], place)
    assert.deepStrictEqual(properties["to"], { anyOf: [place, { type: "null" }] })
    assert.deepStrictEqual(properties["properties"], { type: "array", items: place })
    assert.deepStrictEqual(properties["not"], { type: "string" })
    assert.deepInclude(properties["labels"], { properties: {}, additionalProperties: { type: "string" } })
    assert.deepInclude(properties["default"], { default: { type: "object" } })
  })

  it("leaves a member that nothing fits as it is", () => {
    const { properties } = Manifest.jsonSchema(Schema.Struct({ gone: Schema.optionalKey(Schema.Never) }))
    assert.deepStrictEqual(properties, { gone: { not: {} } })
  })

  it("keeps a definition that contains itself", () => {
    interface Tree {
      readonly branches: ReadonlyArray<Tree>
    }
    const Branches = Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
    const Tree = Schema.Struct({ branches: Branches }).annotate({ identifier: "Tree" })
    const listed = Manifest.jsonSchema(Schema.Struct({ tree: Tree }))
    const branches = { type: "array", items: { $ref: "#/$defs/Tree" } }
    const tree = { type: "object", properties: { branches }, required: ["branches"], additionalProperties: false }
    assert.deepInclude(listed, { properties: { tree }, $defs: { Tree: tree } })
  })

  it("lists a prompt with its arguments, and which of them are needed", () => {
    assert.deepStrictEqual(Manifest.prompt(introduce).listed.arguments, [
      { name: "audience", description: "To whom", required: true }
    ])
  })

  it("lists a resource with what it is", () => {
    const { uri, name, title, description } = me
    assert.deepStrictEqual(Manifest.resource(me).listed, {
      uri,
      name,
      title,
      description,
      mimeType: "application/json"
    })
  })
})
