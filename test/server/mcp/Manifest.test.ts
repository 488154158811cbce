import { assert, describe, it } from "@effect/vitest"
import * as Tool from "effect/ai/Tool"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import * as Policy from "../../../src/server/access/Policy.ts"
import * as PromptTemplate from "../../../src/server/capability/PromptTemplate.ts"
import * as Manifest from "../../../src/server/mcp/Manifest.ts"
import { type JsonSchema, objectFaults } from "../../support/FunctionCalling.ts"

describe("Manifest", () => {
  it("lets nobody use a tool that carries no policy", () => {
    const bare = Tool.make("bare", { description: "Does something.", success: Schema.Struct({}) })
    assert.deepStrictEqual(Manifest.tool(bare).policy, Policy.nobody)
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
    const prompt = PromptTemplate.make({
      name: "welcome",
      title: "Welcome",
      description: "Greets somebody",
      policy: Policy.signedIn,
      arguments: Schema.Struct({
        who: Schema.String.annotate({ description: "Whom to greet" }),
        how: Schema.optionalKey(Schema.String)
      }),
      content: ({ who }) => Effect.succeed(`Welcome ${who}`)
    })
    assert.deepStrictEqual(Manifest.prompt(prompt).listed.arguments, [
      { name: "who", description: "Whom to greet", required: true },
      { name: "how", description: "", required: false }
    ])
  })

  it("advertises no output for a success that is no object, which structured content cannot hold", () => {
    for (const success of [Schema.String, Schema.Void, Schema.Array(Schema.Struct({}))]) {
      const { listed } = Manifest.tool(Tool.make("say", { description: "Says it.", success }))
      assert.notProperty(listed, "outputSchema")
    }
    const either = Schema.Union([Schema.Struct({ a: Schema.String }), Schema.Struct({ b: Schema.String })])
    assert.property(
      Manifest.tool(Tool.make("say", { description: "Says it.", success: either })).listed,
      "outputSchema"
    )
  })
})
