import { assert, describe, it } from "@effect/vitest"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { describeModule } from "../../dev/policy/Describe.ts"
import { differences } from "../../dev/policy/Differences.ts"
import { type Entry, entriesOf, parse, print } from "../../dev/policy/Lock.ts"
import { Catalogue, Policy, PromptTemplate, Resource, ResourceTemplate, Settings } from "../../src/server/index.ts"
import { define } from "../../src/server/Server.ts"

class AcmeSettings extends Settings.make<AcmeSettings>()(
  "acme/Settings",
  Schema.Struct({ ACME_KEY: Schema.String.annotate({ description: "the key" }) })
) {}

class Orders extends Context.Service<Orders, { readonly all: Effect.Effect<string> }>()("acme/Orders") {}

const described = { title: "A title", description: "A description" }

interface Variant {
  readonly policy?: Policy.Policy
  readonly parameters?: Schema.Codec<any, any>
  readonly success?: Schema.Codec<any, any>
  readonly idempotent?: boolean
  readonly mediaType?: string
}

const Pair = Schema.Struct({ a: Schema.Finite.annotate({ description: "one" }), b: Schema.optionalKey(Schema.Finite) })

/** A catalogue that cannot be built here: its services need settings, a binding, an answer, or fail. */
const catalogueOf = ({
  policy = Policy.signedIn,
  parameters = Pair,
  success = Schema.String,
  idempotent = true,
  mediaType = "text/plain"
}: Variant) => {
  const Ping = Tool.make("ping", { parameters, success, dependencies: [Orders] })
    .annotate(Policy.Required, policy)
    .annotate(Tool.Idempotent, idempotent)
  const toolkit = Toolkit.make(Ping)
  const handlers = toolkit.toLayer(Effect.map(AcmeSettings, () => ({ ping: () => Effect.succeed("pong") })))
  const orders = Layer.unwrap(
    Effect.map(AcmeSettings, ({ ACME_KEY }) => Layer.succeed(Orders, { all: Effect.succeed(ACME_KEY) }))
  )
  const waiting = Layer.effectDiscard(Effect.never)
  const broken = Layer.effectDiscard(Effect.die("a binding is missing"))
  return Catalogue.layer(
    Catalogue.when(
      Effect.map(AcmeSettings, ({ ACME_KEY }) => ACME_KEY === "other"),
      Catalogue.tools(toolkit, handlers)
    ),
    Catalogue.extension(() => {}),
    Resource.file({
      ...described,
      uri: "acme://all",
      name: "all",
      policy,
      mediaType,
      content: Effect.flatMap(Orders, ({ all }) => all)
    }),
    ResourceTemplate.make({
      ...described,
      uriTemplate: "acme://orders/{id}",
      name: "order",
      policy,
      parameters: Schema.Struct({ id: Schema.String }),
      schema: Schema.String,
      content: () => Effect.succeed("")
    }),
    PromptTemplate.make({
      ...described,
      name: "say",
      policy,
      arguments: Schema.Struct({ words: Schema.String }),
      content: () => Effect.succeed("")
    })
  ).pipe(Layer.provide(orders), Layer.provide([waiting, broken]), Layer.provide(broken))
}

const server = (catalogue: ReturnType<typeof catalogueOf>) =>
  define({ name: "acme", title: "Acme", version: "1", scopes: {}, settings: [AcmeSettings], catalogue })

const entries = (variant: Variant = {}): ReadonlyArray<Entry> => {
  const description = describeModule({ server: server(catalogueOf(variant)) })
  assert(description !== undefined && description !== "no server")
  return entriesOf(description)
}

const since = (variant: Variant) => differences(entries(), entries(variant))

describe("the entries of a server", () => {
  it("are all that it can have, with no setting, no service and no answer", () => {
    const names = entries().map(({ kind, name }) => `${kind} ${name}`)
    assert.deepStrictEqual(names, ["tool ping", "resource acme://all", "template acme://orders/{id}", "prompt say"])
  })

  it("are not told where the catalogue itself depends on settings, or there is no server", () => {
    const catalogue = Layer.unwrap(Effect.map(AcmeSettings, () => catalogueOf({})))
    assert.isUndefined(describeModule({ server: server(catalogue) }))
    assert.strictEqual(describeModule({ fetch: () => {} }), "no server")
  })

  it("keep apart what has one name under two conditions", () => {
    const toolkit = Toolkit.make(Tool.make("twice", { success: Schema.String }))
    const part = Catalogue.tools(toolkit, toolkit.toLayer({ twice: () => Effect.succeed("") }))
    const on = Catalogue.when(Effect.succeed(true), part)
    const description = describeModule({
      server: define({ name: "acme", title: "", version: "1", scopes: {}, catalogue: Catalogue.layer(on, on) })
    })
    assert(description !== undefined && description !== "no server")
    assert.deepStrictEqual(
      entriesOf(description).map(({ name }) => name),
      ["twice", "twice (2)"]
    )
  })
})

describe("policy.lock", () => {
  it("is read as it was written", () => {
    const now = entries({ policy: Policy.all(Policy.roles("a b", 'c"'), Policy.scopes("x")) })
    assert.deepStrictEqual(parse(print(now)), now)
    assert.deepStrictEqual(parse(print(now).replaceAll("\n", "\r\n")), now)
  })

  it("takes a block without a policy for nobody's, so that the code lets more people in", () => {
    const withoutPolicy = parse(print(entries()).replaceAll(/^ {2}policy .*\n/gmu, ""))
    assert(!("line" in withoutPolicy))
    const [said] = differences(withoutPolicy, entries())
    assert.strictEqual(said, "tool ping: nobody -> everybody who is signed in (this lets more people in)")
  })

  it("names the line that cannot be read", () => {
    const lines = print(entries()).split("\n")
    const at = lines.indexOf("tool ping")
    for (const text of ["<<<<<<< HEAD", "gadget ping", "  policy    roles()", "  input     3386", "  colour    red"]) {
      const spoilt = lines.toSpliced(at + 1, 0, text).join("\n")
      assert.deepStrictEqual(parse(spoilt), { line: at + 2, text })
    }
  })
})

describe("what became different", () => {
  it("is nothing where only words are others", () => {
    const reworded = Schema.Struct({
      b: Schema.optionalKey(Schema.Finite),
      a: Schema.Finite.annotate({ description: "two" })
    })
    assert.deepStrictEqual(since({ parameters: reworded }), [])
  })

  it("says of each entry who may use it now", () => {
    const wider = "everybody who is signed in -> anybody with role admin (this lets fewer people in)"
    const titles = ["tool ping", "resource acme://all", "template acme://orders/{id}", "prompt say"]
    assert.deepStrictEqual(
      since({ policy: Policy.roles("admin") }),
      titles.map((title) => `${title}: ${wider}`)
    )
    const [said] = differences(
      entries({ policy: Policy.roles("admin") }),
      entries({ policy: Policy.roles("admin", "premium") })
    )
    assert.strictEqual(
      said,
      "tool ping: anybody with role admin -> anybody with role admin or premium (this lets more people in)"
    )
    const [same] = since({ policy: Policy.any(Policy.signedIn, Policy.roles("admin")) })
    assert.strictEqual(
      same,
      "tool ping: everybody who is signed in -> anybody with an account OR role admin (the same people, said in another way)"
    )
  })

  it("names what changed in a schema", () => {
    const { Finite, Int, Struct, optionalKey } = Schema
    const cases = [
      [
        { parameters: Struct({ a: optionalKey(Finite), b: optionalKey(Finite) }) },
        "the input schema changed: a is optional now"
      ],
      [
        { parameters: Struct({ a: Int, c: Finite }) },
        "the input schema changed: a has another schema; b is gone; c is new and required"
      ],
      [{ success: Struct({ pong: Finite }) }, "the output schema is new"],
      [
        { idempotent: false },
        "hints: changes things, destructive, idempotent, open world -> changes things, destructive, not idempotent, open world"
      ]
    ] as const
    for (const [variant, said] of cases) assert.deepStrictEqual(since(variant), [`tool ping: ${said}`])
    assert.deepStrictEqual(differences(entries({ success: Struct({ pong: Finite }) }), entries()), [
      "tool ping: the output schema is gone"
    ])
    assert.deepStrictEqual(since({ mediaType: "text/html" }), [
      "resource acme://all: media type: text/plain -> text/html"
    ])
  })

  it("names what is new and what is gone", () => {
    const all = entries()
    const [ping, ...others] = all
    assert.deepStrictEqual(differences(others, all), ["tool ping: is new, for everybody who is signed in"])
    assert.deepStrictEqual(differences(all, others), ["tool ping: is gone; it was for everybody who is signed in"])
    assert.isDefined(ping)
  })
})
