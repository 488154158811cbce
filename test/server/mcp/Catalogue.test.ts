import { assert, describe, it } from "@effect/vitest"
import * as Prompt from "effect/ai/Prompt"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"

import {
  Catalogue,
  CurrentPrincipal,
  CurrentUser,
  type Middleware,
  NotFound,
  Policy,
  PromptTemplate,
  Resource,
  ResourceTemplate,
  ResultLimit,
  ToolMiddleware,
  ToolRefused
} from "../../../src/server/index.ts"
import { protocol, send } from "../../support/Protocol.ts"

/** A service of a team's, whose store fails where it is told to. */
class Library extends Context.Service<Library, { readonly titles: ReadonlyMap<string, string> }>()("test/Library") {}

class LibraryClosed extends Schema.TaggedError<LibraryClosed>()("LibraryClosed", {
  opensAt: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    return `The library is closed until ${this.opensAt}.`
  }
}

const closed = new LibraryClosed({ opensAt: "nine", cause: new Error("the password is hunter2") })
const described = { title: "T", description: "D", policy: Policy.signedIn }
const Book = Schema.Struct({ title: Schema.String, reader: Schema.NullOr(Schema.String) })

const book = ResourceTemplate.make({
  ...described,
  uriTemplate: "books://{id}",
  name: "book",
  parameters: Schema.Struct({ id: Schema.String }),
  schema: Book,
  failure: LibraryClosed,
  content: Effect.fnUntraced(function* ({ id }) {
    if (id === "closed") return yield* closed
    const title = (yield* Library).titles.get(id)
    if (title === undefined) return yield* new NotFound({ what: `Book ${id}` })
    return { title, reader: (yield* CurrentUser).firstName }
  }),
  complete: {
    id: (typed) => Effect.map(Library, ({ titles }) => [...titles.keys()].filter((id) => id.startsWith(typed)))
  }
})

const shelf = Resource.file({
  ...described,
  uri: "books://shelf",
  name: "shelf",
  mediaType: "text/plain",
  content: Effect.flatMap(Library, ({ titles }) =>
    titles.size === 0 ? Effect.fail(new NotFound({ what: "The shelf" })) : Effect.succeed([...titles.values()].join())
  )
})

const review = PromptTemplate.make({
  ...described,
  name: "review",
  arguments: Schema.Struct({ id: Schema.String }),
  failure: LibraryClosed,
  content: Effect.fnUntraced(function* ({ id }) {
    if (id === "closed") return yield* closed
    const title = (yield* Library).titles.get(id)
    if (title === undefined) return yield* new NotFound({ what: `Book ${id}` })
    return `Review ${title}.`
  })
})

const library = (...titles: ReadonlyArray<readonly [string, string]>) =>
  Layer.succeed(Library, { titles: new Map(titles) })

const books = Catalogue.layer(book, shelf, review).pipe(Layer.provide(library(["emma", "Emma"])))

/** Runs a test with the lines that are logged meanwhile. */
const logging = <A, E, R>(test: (lines: ReadonlyArray<string>) => Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  return Effect.provide(test(lines), Logger.layer([Logger.map(Logger.formatJson, (line) => void lines.push(line))]))
}

describe("resources, templates and prompts", () => {
  it.effect("have the services of the team and of the request", () =>
    Effect.gen(function* () {
      const read = yield* send("resources/read", { uri: "books://emma" })
      assert.deepEqual(JSON.parse(read.result.contents[0].text), { title: "Emma", reader: "Una" })
      assert.strictEqual((yield* send("resources/read", { uri: "books://shelf" })).result.contents[0].text, "Emma")
      const said = yield* send("prompts/get", { name: "review", arguments: { id: "emma" } })
      assert.strictEqual(said.result.messages[0].content.text, "Review Emma.")
      const ref = { type: "ref/resource", uri: "books://{id}" }
      const completed = yield* send("completion/complete", { ref, argument: { name: "id", value: "em" } })
      assert.deepEqual(completed.result.completion.values, ["emma"])
    }).pipe(Effect.provide(protocol(books)))
  )

  it.effect("say that something is not there as the protocol does, and log no error", () =>
    logging((lines) =>
      Effect.gen(function* () {
        const { error } = yield* send("resources/read", { uri: "books://ulysses" })
        assert.deepEqual(error, { code: -32602, message: "Book ulysses not found", data: { uri: "books://ulysses" } })
        const prompt = yield* send("prompts/get", { name: "review", arguments: { id: "ulysses" } })
        assert.deepEqual(prompt.error, { code: -32602, message: "Book ulysses not found" })
        assert.deepEqual(lines, [])
      }).pipe(Effect.provide(protocol(books)))
    )
  )

  it.effect("fail as declared with message, fields and a reference, without what caused it", () =>
    logging((lines) =>
      Effect.gen(function* () {
        const answers = [
          yield* send("resources/read", { uri: "books://closed" }),
          yield* send("prompts/get", { name: "review", arguments: { id: "closed" } })
        ]
        for (const { error } of answers) {
          assert.strictEqual(error.code, -32603)
          assert.match(error.message, /^The library is closed until nine\. Reference [2-9A-HJ-NP-Z]{8}$/u)
          assert.deepEqual(error.data, { _tag: "LibraryClosed", opensAt: "nine" })
          assert.isTrue(lines.some((line) => line.includes(error.message.slice(-8)) && line.includes('"user_one"')))
        }
        assert.notInclude(JSON.stringify([answers, lines]), "hunter2")
        for (const line of lines) assert.include(line, '"level":"WARN"')
      }).pipe(Effect.provide(protocol(books)))
    )
  )
})

it.effect("closes what a resource opened with each request", () => {
  let open = 0
  const opened = Effect.acquireRelease(
    Effect.sync(() => (open += 1)),
    () => Effect.sync(() => (open -= 1))
  )
  const content = Effect.map(opened, String)
  const file = Resource.file({ ...described, uri: "files://one", name: "one", mediaType: "text/plain", content })
  return Effect.gen(function* () {
    for (let times = 0; times < 2; times++) {
      assert.strictEqual((yield* send("resources/read", { uri: "files://one" })).result.contents[0].text, "1")
      assert.strictEqual(open, 0)
    }
  }).pipe(Effect.provide(protocol(Catalogue.layer(file))))
})

it.effect("a program that interrupts itself has failed: the client gets a reference", () => {
  const file = Resource.file({
    ...described,
    uri: "files://gone",
    name: "gone",
    mediaType: "text/plain",
    content: Effect.interrupt
  })
  return logging((lines) =>
    Effect.gen(function* () {
      const { error } = yield* send("resources/read", { uri: "files://gone" })
      assert.strictEqual(error.code, -32603)
      assert.match(error.message, /report the reference [2-9A-HJ-NP-Z]{8}\.$/u)
      assert.lengthOf(lines, 1)
    }).pipe(Effect.provide(protocol(Catalogue.layer(file))))
  )
})

const Fetch = Tool.make("fetch", {
  description: "Fetches a text",
  parameters: Schema.Struct({ length: Schema.Int, letter: Schema.optionalKey(Schema.String) }),
  success: Schema.String,
  failure: LibraryClosed
}).annotate(Policy.Required, Policy.signedIn)

const small = Tool.make("small", { description: "Small", success: Schema.String })
  .annotate(Policy.Required, Policy.signedIn)
  .annotate(ResultLimit, { maxBytes: 2_000, advice: "There is no way." })

const summed = Tool.make("summed", {
  description: "Summed",
  success: Schema.Struct({ text: Schema.String }),
  toModelOutput: () => [Prompt.textPart({ text: "short" })]
})
  .annotate(Policy.Required, Policy.signedIn)
  .annotate(ResultLimit, { maxBytes: 100 })

const toolkit = Toolkit.make(Fetch, small, summed)
const tools = Catalogue.tools(
  toolkit,
  toolkit.toLayer({
    fetch: ({ length, letter = "x" }) => (length < 0 ? Effect.fail(closed) : Effect.succeed(letter.repeat(length))),
    small: () => Effect.succeed("é".repeat(1_001)),
    summed: () => Effect.succeed({ text: "x".repeat(200) })
  })
)

const call = (name: string, args: object = {}) =>
  Effect.map(send("tools/call", { name, arguments: args }), ({ result }) => result)

describe("the result of a tool", () => {
  it.effect("is the text where it is no object", () =>
    Effect.gen(function* () {
      const result = yield* call("fetch", { length: 3 })
      assert.deepEqual(result.content, [{ type: "text", text: "xxx" }])
      assert.notProperty(result, "structuredContent")
      const { result: listed } = yield* send("tools/list", {})
      assert.notProperty(listed.tools[0], "outputSchema")
    }).pipe(Effect.provide(protocol(Catalogue.layer(tools))))
  )

  it.effect("may have 1 MiB, and not a byte more: the model is told what to change", () =>
    Effect.gen(function* () {
      const most = yield* call("fetch", { length: 1024 * 1024 })
      assert.lengthOf(most.content[0].text, 1024 * 1024)
      for (const more of [{ length: 1024 * 1024 + 1 }, { length: 600_000, letter: "é" }]) {
        const { isError, content } = yield* call("fetch", more)
        assert.isTrue(isError)
        assert.match(content[0].text, /^The result is too large: 1\.\d MiB, where 1\.0 MiB are allowed\./u)
        assert.include(content[0].text, "arguments that ask for less: it takes length, letter.")
      }
    }).pipe(Effect.provide(protocol(Catalogue.layer(tools))))
  )

  it.effect("has the limit and the advice of its own tool", () =>
    Effect.gen(function* () {
      const { isError, content } = yield* call("small")
      assert.isTrue(isError)
      assert.strictEqual(
        content[0].text,
        "The result is too large: 2 KiB, where 2 KiB are allowed. Nothing of it was sent. There is no way."
      )
    }).pipe(Effect.provide(protocol(Catalogue.layer(tools))))
  )

  it.effect("counts structured content where the model gets other words", () =>
    Effect.gen(function* () {
      const { isError, content } = yield* call("summed")
      assert.isTrue(isError)
      assert.match(content[0].text, /^The result is too large: 1 KiB/u)
    }).pipe(Effect.provide(protocol(Catalogue.layer(tools))))
  )

  it.effect("holds the fields of a declared failure beside its message, without what caused it", () =>
    Effect.gen(function* () {
      const result = yield* call("fetch", { length: -1 })
      assert.isTrue(result.isError)
      assert.match(result.content[0].text, /^The library is closed until nine\. Reference /u)
      assert.deepEqual(result._meta["clerk-mcp-worker/failure"], { _tag: "LibraryClosed", opensAt: "nine" })
      assert.notInclude(JSON.stringify(result), "hunter2")
    }).pipe(Effect.provide(protocol(Catalogue.layer(tools))))
  )
})

describe("middleware", () => {
  const around = (middleware: Middleware) =>
    protocol(Catalogue.layer(tools).pipe(Layer.provide(Layer.succeed(ToolMiddleware, middleware))))

  it.effect("sees each call with tool, principal and decoded arguments, and what comes of it", () => {
    const seen: Array<unknown> = []
    const audit: Middleware = (handler, { tool, principal, arguments: args }) =>
      Effect.onExit(handler, (exit) =>
        Effect.flatMap(CurrentPrincipal, ({ clientId }) =>
          Effect.sync(() => void seen.push([tool.name, principal.userId, clientId, args, exit._tag]))
        )
      )
    return Effect.gen(function* () {
      yield* call("fetch", { length: 2 })
      yield* call("fetch", { length: -1 })
      yield* call("fetch", { length: "long" })
      assert.deepEqual(seen, [
        ["fetch", "user_one", "client", { length: 2 }, "Success"],
        ["fetch", "user_one", "client", { length: -1 }, "Failure"]
      ])
    }).pipe(Effect.provide(around(audit)))
  })

  it.effect("can refuse a call with words for the client, and the handler does not run", () => {
    const refuse: Middleware = (handler, { tool }) =>
      tool.name === "small" ? handler : Effect.fail(new ToolRefused({ message: "Not on a Sunday." }))
    return Effect.gen(function* () {
      const { isError, content } = yield* call("fetch", { length: 2 })
      assert.isTrue(isError)
      assert.match(content[0].text, /^Not on a Sunday\. Reference /u)
    }).pipe(Effect.provide(around(refuse)))
  })

  it.effect("has the services that its layer was built with", () => {
    const counted = Layer.effect(
      ToolMiddleware,
      Effect.map(
        Library,
        ({ titles }): Middleware =>
          (handler) =>
            titles.size === 1 ? handler : Effect.die(new Error("no library"))
      )
    )
    const catalogue = Catalogue.layer(tools).pipe(Layer.provide(counted), Layer.provide(library(["emma", "Emma"])))
    return Effect.gen(function* () {
      assert.strictEqual((yield* call("fetch", { length: 1 })).content[0].text, "x")
    }).pipe(Effect.provide(protocol(catalogue)))
  })
})

describe("a part under a condition", () => {
  for (const holds of [true, false]) {
    it.effect(`is ${holds ? "there where it holds" : "not there where it does not"}`, () =>
      Effect.gen(function* () {
        const { result } = yield* send("tools/list", {})
        assert.strictEqual(result.tools.length > 0, holds)
        assert.lengthOf((yield* send("resources/list", {})).result.resources, 1)
      }).pipe(
        Effect.provide(
          protocol(
            Catalogue.layer(Catalogue.when(Effect.succeed(holds), tools, review), shelf).pipe(Layer.provide(library()))
          )
        )
      )
    )
  }
})

describe("a catalogue with faults", () => {
  const faultsOf = <R>(catalogue: Layer.Layer<Catalogue, never, R>) =>
    Effect.map(Effect.flip(Effect.provide(Effect.void, protocol(catalogue))), ({ faults }) => faults)

  it.effect("is not served: it is told which names are there twice and which scopes nobody can grant", () =>
    Effect.gen(function* () {
      const odd = Tool.make("odd name").annotate(
        Policy.Required,
        Policy.any(Policy.roles("admin"), Policy.all(Policy.scopes("paint:use", "paint:sue")))
      )
      const oddities = Toolkit.make(odd)
      const more = Catalogue.tools(oddities, oddities.toLayer({ "odd name": () => Effect.void }))
      const secret = Resource.file({
        ...described,
        policy: Policy.scopes("secrets:read"),
        uri: "books://secret",
        name: "secret",
        mediaType: "text/plain",
        content: Effect.succeed("")
      })
      const catalogue = Catalogue.layer(tools, tools, more, secret, secret, book, book, review, review)
      assert.deepEqual(yield* faultsOf(catalogue.pipe(Layer.provide(library()))), [
        'odd name cannot be the name of a tool: 1 to 128 letters, digits, "_", "-" and "." can.',
        "There are two tools of the name fetch. Each needs a name of its own.",
        "There are two tools of the name small. Each needs a name of its own.",
        "There are two tools of the name summed. Each needs a name of its own.",
        "There are two resources of the name books://secret. Each needs a name of its own.",
        "There are two resource templates of the name book. Each needs a name of its own.",
        "There are two prompts of the name review. Each needs a name of its own.",
        "The tool odd name needs the scope paint:sue, which the server does not have. Name it in scopes.",
        "The resource books://secret needs the scope secrets:read, which the server does not have. Name it in scopes.",
        "The resource books://secret needs the scope secrets:read, which the server does not have. Name it in scopes."
      ])
    })
  )
})

it("asks for the services of the team that its parts need, and for none of the request", () => {
  const needy = Catalogue.layer(book, shelf, tools)
  const needsLibraryOnly: [Layer.Services<typeof needy>, Library] extends [Library, Layer.Services<typeof needy>]
    ? true
    : false = true
  assert.isTrue(needsLibraryOnly)
})
