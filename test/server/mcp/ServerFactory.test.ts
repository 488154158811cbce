import { assert, describe, it } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import { InMemoryTransport } from "@modelcontextprotocol/server"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"

import * as Policy from "../../../src/server/access/Policy.ts"
import { toAuthInfo } from "../../../src/server/mcp/Authorize.ts"
import { ServerFactory } from "../../../src/server/mcp/ServerFactory.ts"
import { Catalogue } from "../../../src/server/mcp/Catalogue.ts"
import { Elicitation } from "../../../src/server/capability/Elicitation.ts"
import { ClientLog } from "../../../src/server/capability/ClientLog.ts"
import * as Completion from "../../../src/server/capability/Completion.ts"
import * as Resource from "../../../src/server/capability/Resource.ts"
import * as ResourceTemplate from "../../../src/server/capability/ResourceTemplate.ts"
import { caller, protocol, send } from "../../support/Protocol.ts"
import { introduce } from "../fixture/People.ts"

const Said = Schema.Struct({ text: Schema.String })

const toolkit = Toolkit.make(
  Tool.make("greet", { description: "Asks", success: Said, dependencies: [Elicitation] }).annotate(
    Policy.Required,
    Policy.signedIn
  ),
  Tool.make("chat", { description: "Logs", success: Said }).annotate(Policy.Required, Policy.signedIn)
)

const tools = toolkit.toLayer({
  greet: () =>
    Effect.map(
      Elicitation.form("name", { message: "Your name?", schema: Schema.Struct({ name: Schema.String }) }),
      (answer) => ({ text: answer._tag === "Accepted" ? `Hello ${answer.value.name}` : answer._tag })
    ),
  chat: Effect.fnUntraced(function* () {
    const log = yield* ClientLog
    yield* log({ level: "info", data: "busy" })
    yield* log({ level: "error", data: "stuck", logger: "chat" })
    return { text: "done" }
  })
})

const book = ResourceTemplate.make({
  uriTemplate: "test://book/{title}",
  name: "book",
  title: "Book",
  description: "A book",
  policy: Policy.signedIn,
  parameters: Schema.Struct({ title: Schema.StringFromUriComponent.check(Schema.isMaxCodePoints(20)) }),
  schema: Schema.Struct({ title: Schema.String }),
  content: Effect.succeed,
  complete: { title: Completion.oneOf("Emma", "Emil", "Ulysses") }
})

const broken = Resource.file({
  uri: "test://broken",
  name: "broken",
  title: "Broken",
  description: "Dies",
  policy: Policy.signedIn,
  mediaType: "text/plain",
  content: Effect.die(new Error("secret detail"))
})

const hidden = ResourceTemplate.make({
  ...book,
  parameters: Said,
  schema: Said,
  name: "hidden",
  uriTemplate: "test://hidden/{text}",
  policy: Policy.roles("admin"),
  content: Effect.succeed,
  complete: { text: Completion.oneOf("a") }
})

const layer = protocol(Catalogue.layer(Catalogue.tools(toolkit, tools), broken, book, hidden, introduce))

/** A client of SDK v1 in a session, as 2025-era clients are. */
const legacyClient = Effect.fnUntraced(function* (onQuestion: () => { action: string; content?: object }) {
  const { make } = yield* ServerFactory
  const [near, far] = InMemoryTransport.createLinkedPair()
  const authInfo = toAuthInfo(caller(), "http://localhost:8788/metadata")
  const post = near.send.bind(near)
  near.send = (message, options) => post(message, { ...options, authInfo })
  yield* Effect.promise(() => make({ listChanged: true }).connect(far))
  const client = new Client({ name: "v1", version: "1" }, { capabilities: { elicitation: {} } })
  client.setRequestHandler(ElicitRequestSchema, () => onQuestion() as any)
  yield* Effect.promise(() => client.connect(near as any))
  return client
})

it.effect("tells clients of both eras what the server is called, its icons and its instructions", () =>
  Effect.gen(function* () {
    const described = {
      name: "test-server",
      title: "Test server",
      version: "1.2.3",
      icons: [{ src: "https://mcp.example.com/icon.svg", mimeType: "image/svg+xml", sizes: ["any"] }],
      websiteUrl: "http://localhost:8788/"
    }
    const { result } = yield* send("server/discover", {})
    assert.deepEqual(result._meta["io.modelcontextprotocol/serverInfo"], described)
    assert.strictEqual(result.instructions, "Ask for the order first.")
    const client = yield* legacyClient(() => ({ action: "cancel" }))
    assert.deepEqual(client.getServerVersion(), described)
    assert.strictEqual(client.getInstructions(), "Ask for the order first.")
  }).pipe(Effect.provide(layer))
)

it.effect("lists come whole: a cursor that nobody was given is refused, an empty one is none", () =>
  Effect.gen(function* () {
    for (const method of ["tools/list", "resources/list", "resources/templates/list", "prompts/list"]) {
      const { error } = yield* send(method, { cursor: "made-up" })
      assert.strictEqual(error.code, -32602, method)
      const { result } = yield* send(method, { cursor: "" })
      assert.notProperty(result, "nextCursor", method)
    }
  }).pipe(Effect.provide(layer))
)

describe("a 2025-era session", () => {
  it.effect("asks with elicitation what a tool asks", () =>
    Effect.gen(function* () {
      let asked = 0
      const client = yield* legacyClient(() => {
        asked += 1
        return { action: "accept", content: { name: "Ada" } }
      })
      const result = yield* Effect.promise(() => client.callTool({ name: "greet", arguments: {} }))
      assert.deepEqual(result["structuredContent"], { text: "Hello Ada" })
      assert.strictEqual(asked, 1)
    }).pipe(Effect.provide(layer))
  )

  it.effect("logs from the level on that the client has set", () =>
    Effect.gen(function* () {
      const logged: Array<unknown> = []
      const client = yield* legacyClient(() => ({ action: "cancel" }))
      client.fallbackNotificationHandler = (notification) => {
        logged.push(notification.params)
        return Promise.resolve()
      }
      yield* Effect.promise(() => client.setLoggingLevel("warning"))
      yield* Effect.promise(() => client.callTool({ name: "chat", arguments: {} }))
      assert.deepEqual(logged, [{ level: "error", data: "stuck", logger: "chat" }])
    }).pipe(Effect.provide(layer))
  )
})

describe("the log of a 2026 client", () => {
  it.effect("holds what the request asked for, and nothing unasked", () =>
    Effect.gen(function* () {
      const levels = Effect.fnUntraced(function* (logLevel?: string) {
        const { messages } = yield* send(
          "tools/call",
          { name: "chat", arguments: {} },
          logLevel === undefined ? {} : { logLevel }
        )
        return messages.slice(0, -1).map((message: any) => message.params.level)
      })
      assert.deepEqual(yield* levels(), [])
      assert.deepEqual(yield* levels("warning"), ["error"])
      assert.deepEqual(yield* levels("debug"), ["info", "error"])
    }).pipe(Effect.provide(layer))
  )
})

describe("completion", () => {
  const suggest = (ref: object, name: string, value: string) =>
    Effect.map(send("completion/complete", { ref, argument: { name, value } }), ({ result, error }) =>
      error === undefined ? result.completion : error.code
    )

  it.effect("suggests values for an argument, and titles for an address", () =>
    Effect.gen(function* () {
      const audiences = yield* suggest({ type: "ref/prompt", name: "introduce" }, "audience", "A C")
      assert.deepEqual(audiences, { values: ["a customer"], total: 1, hasMore: false })
      const titles = yield* suggest({ type: "ref/resource", uri: "test://book/{title}" }, "title", "em")
      assert.deepEqual(titles.values, ["Emma", "Emil"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("suggests nothing for other arguments, and refuses what is not there or not allowed", () =>
    Effect.gen(function* () {
      const other = yield* suggest({ type: "ref/prompt", name: "introduce" }, "constructor", "")
      assert.deepEqual(other.values, [])
      assert.strictEqual(yield* suggest({ type: "ref/prompt", name: "nothing" }, "a", ""), -32602)
      assert.strictEqual(yield* suggest({ type: "ref/resource", uri: "test://hidden/{text}" }, "text", ""), -32602)
    }).pipe(Effect.provide(layer))
  )
})

describe("resource templates", () => {
  it.effect("decode the address, and refuse one that no resource can have", () =>
    Effect.gen(function* () {
      const { result } = yield* send("resources/read", { uri: "test://book/War%20%26%20Peace" })
      assert.deepEqual(JSON.parse(result.contents[0].text), { title: "War & Peace" })
      assert.strictEqual(result.cacheScope, "private")
      const { error } = yield* send("resources/read", { uri: `test://book/${"x".repeat(21)}` })
      assert.strictEqual(error.code, -32602)
    }).pipe(Effect.provide(layer))
  )

  it.effect("are listed to those who may use them", () =>
    Effect.gen(function* () {
      const { result } = yield* send("resources/templates/list", {})
      assert.deepEqual(
        result.resourceTemplates.map(({ name }: { name: string }) => name),
        ["book"]
      )
    }).pipe(Effect.provide(layer))
  )
})

it.effect("a defect tells the client nothing but a reference, under which the log names who asked for what", () => {
  const lines: Array<string> = []
  const log = Layer.fresh(Logger.layer([Logger.map(Logger.formatJson, (line) => void lines.push(line))]))
  return Effect.gen(function* () {
    const { error } = yield* send("resources/read", { uri: "test://broken" })
    assert.strictEqual(error.code, -32603)
    const [, reference] = /report the reference ([0-9A-Z]{8})\.$/u.exec(error.message) ?? []
    assert.lengthOf(lines, 1)
    assert.include(lines[0], `"reference":"${reference}"`)
    for (const said of ['"name":"broken"', '"userId":"user_one"', '"clientId":"client"']) assert.include(lines[0], said)
    assert.notInclude(lines[0], "secret detail")
  }).pipe(Effect.provide(Layer.provideMerge(layer, log)))
})
