import { assert, describe, it } from "@effect/vitest"
import * as Tool from "effect/ai/Tool"
import * as Context from "effect/Context"

import * as Policy from "../../src/server/access/Policy.ts"
import { Role } from "../../src/server/domain/Role.ts"
import * as Manifest from "../../src/server/mcp/Manifest.ts"
import * as Account from "../../src/tools/Account.ts"
import * as AppAccounts from "../../src/tools/AppAccounts.ts"
import * as Arithmetic from "../../src/tools/Arithmetic.ts"
import * as Images from "../../src/tools/Images.ts"
import * as Reports from "../../src/tools/Reports.ts"
import * as SignOut from "../../src/tools/SignOut.ts"
import { functionCalling, type JsonSchema, objectFaults, schemasIn } from "../support/FunctionCalling.ts"

const name = /^[A-Za-z0-9_-]{1,60}$/u
const families = [Arithmetic, Account, Images, SignOut, Reports, AppAccounts]
const tools = families
  .flatMap(({ toolkit }) => Object.values<Tool.Any>(toolkit.tools))
  .map((definition) => ({ definition, name: definition.name as string }))

describe("the tools", () => {
  it("are there", () => {
    assert.includeMembers(
      tools.map(({ name }) => name),
      ["add", "userInfo", "generateImage", "signOutEverywhere", "listReports"]
    )
    assert.strictEqual(new Set(tools.map(({ name }) => name)).size, tools.length)
  })

  for (const tool of tools) {
    const { listed } = Manifest.tool(tool.definition)
    const output = listed.outputSchema ?? { type: "object" }

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
      assert.deepStrictEqual(objectFaults(output), [])
      assert.isAbove(Object.keys(output["properties"] ?? {}).length, 0)
    })

    it(`${tool.name} says itself whether it reads, destroys, repeats and reaches out`, () => {
      const annotated = [Tool.Readonly, Tool.Destructive, Tool.Idempotent, Tool.OpenWorld]
      for (const { key } of annotated) assert.isTrue(tool.definition.annotations.mapUnsafe.has(key), key)
      const { readOnlyHint, destructiveHint } = listed.annotations
      assert.isFalse(readOnlyHint && destructiveHint)
    })

    it(`${tool.name} shows no pattern that a client's validator would choke on`, () => {
      for (const schema of [listed.inputSchema, output]) {
        for (const [, pattern = ""] of JSON.stringify(schema).matchAll(/"pattern":"((?:[^"\\]|\\.)*)"/gu)) {
          assert.doesNotThrow(() => new RegExp(JSON.parse(`"${pattern}"`) as string, "u"))
        }
      }
    })
  }

  it("can be handed to the function calls of Anthropic, OpenAI and Gemini as they are advertised", () => {
    for (const { name, definition } of tools) {
      const { description, inputSchema: parameters } = Manifest.tool(definition).listed
      for (const [api, faults] of Object.entries(functionCalling)) {
        assert.deepStrictEqual(faults({ name, description, parameters }), [], `${api} and ${name}`)
      }
    }
  })

  it("advertise what is optional with its default", () => {
    const { listed } = Manifest.tool(Images.toolkit.tools.generateImage)
    assert.deepStrictEqual(listed.inputSchema["required"], ["prompt"])
    const { steps } = listed.inputSchema["properties"] as Readonly<Record<string, JsonSchema>>
    assert.deepInclude(steps, { type: "integer", default: 4, minimum: 4, maximum: 8 })
  })

  it("keep the bytes of an image out of the structured output", () => {
    const { listed } = Manifest.tool(Images.toolkit.tools.generateImage)
    assert.sameMembers(Object.keys(listed.outputSchema?.["properties"] ?? {}), [
      "mediaType",
      "steps",
      "model",
      "placeholder"
    ])
  })
})

describe("the resources and prompts", () => {
  it("lists the prompt with its arguments, and which of them are needed", () => {
    assert.deepStrictEqual(Manifest.prompt(Account.introduceMe).listed.arguments, [
      { name: "audience", description: "Who will read the introduction", required: true }
    ])
  })

  it("lists the resource with what it is", () => {
    const { listed } = Manifest.resource(Account.me)
    assert.match(listed.uri, /^[a-z]+:\/\/./u)
    assert.strictEqual(listed.mimeType, "application/json")
    assert.isAbove(listed.description.length, 10)
  })
})

it("admits somebody to every tool, resource and prompt", () => {
  const scopes = new Set(["mcp:tools", "images:generate", "connections:manage", "app:read"])
  const everyone = ["admin", "premium", "image_generation"].map((role) => ({
    role: Role.make(role),
    organization: { role: "org:member", permissions: new Set(["org:reports:read"]) },
    scopes
  }))
  const policies = [
    ...tools.map(({ definition }) => Context.get(definition.annotations, Policy.Required)),
    Account.me.policy,
    Account.introduceMe.policy
  ]
  for (const policy of policies) {
    assert.isTrue(everyone.some((facts) => Policy.evaluate(policy, facts)._tag === "Allowed"))
  }
})
