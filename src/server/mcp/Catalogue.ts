import type { CallToolResult, McpServer } from "@modelcontextprotocol/server"
import type * as Tool from "effect/ai/Tool"
import type * as Toolkit from "effect/ai/Toolkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Record from "effect/Record"
import type * as Scope from "effect/Scope"

import type { Completions } from "../capability/Completion.ts"
import type { PromptTemplate } from "../capability/PromptTemplate.ts"
import type { RequestServices } from "../capability/RequestServices.ts"
import type { Resource } from "../capability/Resource.ts"
import type { ResourceTemplate } from "../capability/ResourceTemplate.ts"
import { ToolMiddleware } from "../capability/ToolMiddleware.ts"
import { AppConfig } from "../config/AppConfig.ts"
import { limiting } from "./LimitedCalls.ts"
import * as Manifest from "./Manifest.ts"
import * as ToolCall from "./ToolCall.ts"

/** A tool as the protocol sees it. */
interface ToolEntry extends ReturnType<typeof Manifest.tool> {
  readonly call: (args: unknown) => Effect.Effect<CallToolResult, never, RequestServices>
}

interface ResourceEntry extends ReturnType<typeof Manifest.resource>, Pick<Resource<RequestServices>, "read"> {}

interface TemplateEntry
  extends ReturnType<typeof Manifest.template>, Pick<ResourceTemplate<RequestServices>, "read" | "complete"> {}

interface PromptEntry
  extends ReturnType<typeof Manifest.prompt>, Pick<PromptTemplate<RequestServices>, "content" | "complete"> {}

/** What clients can use. */
interface Entries {
  readonly tools: ReadonlyArray<ToolEntry>
  readonly resources: ReadonlyArray<ResourceEntry>
  readonly templates: ReadonlyArray<TemplateEntry>
  readonly prompts: ReadonlyArray<PromptEntry>
  /** The seam for a protocol feature that has no definition of its own here: each is handed each new server. */
  readonly extensions: ReadonlyArray<(server: McpServer) => void>
}

/** What clients are told of what they can use, with its policies, and without the programs behind it. */
export interface Description {
  readonly tools: ReadonlyArray<ReturnType<typeof Manifest.tool>>
  readonly resources: ReadonlyArray<ReturnType<typeof Manifest.resource> & Contents>
  readonly templates: ReadonlyArray<ReturnType<typeof Manifest.template> & Contents>
  readonly prompts: ReadonlyArray<ReturnType<typeof Manifest.prompt>>
}

interface Contents {
  /** What is read, if that is JSON. */
  readonly contents?: ReturnType<typeof Manifest.contentSchema>
}

/** Entries that are made when the catalogue is built, from the services that they need then. */
interface Several<out R> {
  readonly _tag: "Several"
  readonly entries: Effect.Effect<Entries, never, R>
  /** The same without services, and whatever the conditions: all that there can be. */
  readonly describe: () => Description
}

/** A part of a catalogue. `R`: the services that it needs, those of the request among them. */
export type Part<R = never> = Several<R> | Resource<R> | ResourceTemplate<R> | PromptTemplate<R>

type Handlers = Record<string, Tool.Any>
/** Parts of a catalogue that need these services. */
type Parts<Needs extends ReadonlyArray<unknown>> = { readonly [At in keyof Needs]: Part<Needs[At]> }

const none: Entries = { tools: [], resources: [], templates: [], prompts: [], extensions: [] }

/** Everything that clients can use: tools, resources, templates of resources, and prompts. */
export class Catalogue extends Context.Service<Catalogue, Entries>()("mcp/Catalogue") {
  /**
   * A catalogue of these parts, in this order. Services that they need beside those of a request are taken when the
   * layer is built.
   */
  static readonly layer = <Needs extends ReadonlyArray<unknown>>(
    ...parts: Parts<Needs>
  ): Layer.Layer<Catalogue, never, Exclude<Needs[number], RequestServices | Scope.Scope>> => {
    const layer = Layer.effect(Catalogue, withoutRequirements(entriesOf<Needs[number]>(parts)))
    descriptions.set(layer, () => describe(parts))
    return layer
  }

  /** The tools of a toolkit, with the layer of their handlers. */
  static readonly tools = <Tools extends Handlers, R>(
    toolkit: Toolkit.Toolkit<Tools>,
    handlers: Layer.Layer<Tool.HandlersFor<Tools>, never, R>
  ): Part<R | Scope.Scope | Tool.HandlerServices<Tools[keyof Tools]>> => ({
    _tag: "Several",
    entries: Effect.gen(function* () {
      const built = yield* Layer.build(handlers)
      const wrap = (yield* limiting)(yield* ToolMiddleware)
      const provided = yield* provideBuilt<Tool.HandlerServices<Tools[keyof Tools]>>()
      // Handlers are kept under the id of their tool; the compiler has checked that none is missing.
      const handlerOf = ({ id }: Tool.Any) => Context.getUnsafe(built, Context.Service<ToolCall.Handler>(id))
      const tools = Object.values<Tool.Any>(toolkit.tools).map((tool) => {
        const call = ToolCall.make(tool, handlerOf(tool), wrap)
        return { ...Manifest.tool(tool), call: (args: unknown) => provided(call(args)) }
      })
      return { ...none, tools }
    }),
    describe: () => ({ ...none, tools: Object.values<Tool.Any>(toolkit.tools).map(Manifest.tool) })
  })

  /** These parts where a condition holds when the catalogue is built: a setting, a binding. */
  static readonly when = <R, Needs extends ReadonlyArray<unknown>>(
    condition: Effect.Effect<boolean, never, R>,
    ...parts: Parts<Needs>
  ): Part<R | Needs[number]> => ({
    _tag: "Several",
    entries: Effect.flatMap(condition, (holds) => (holds ? entriesOf<Needs[number]>(parts) : Effect.succeed(none))),
    describe: () => describe(parts)
  })

  /** These parts on a server with an app behind it (`APP_URL`), nothing on one without. */
  static readonly whenApp = <Needs extends ReadonlyArray<unknown>>(
    ...parts: Parts<Needs>
  ): Part<AppConfig | Needs[number]> =>
    Catalogue.when(
      Effect.map(AppConfig, ({ APP_URL: appUrl }) => appUrl !== undefined),
      ...parts
    )

  /** The seam for a protocol feature that has no definition of its own here: `extend` is handed each new server. */
  static readonly extension = (extend: (server: McpServer) => void): Part => ({
    _tag: "Several",
    entries: Effect.succeed({ ...none, extensions: [extend] }),
    describe: () => none
  })
}

/** What is in the layers that `Catalogue.layer` made. */
const descriptions = new WeakMap<object, () => Description>()

/** What a layer that `Catalogue.layer` made has in it, whatever the conditions of its parts. Builds nothing. */
export const describedBy = (layer: Layer.Any): Description | undefined => descriptions.get(layer)?.()

const contents = ({ schema }: Pick<Resource, "schema">): Contents =>
  schema === undefined ? {} : { contents: Manifest.contentSchema(schema) }

const describePart = (part: Part<unknown>): Description => {
  switch (part._tag) {
    case "Several":
      return part.describe()
    case "Resource":
      return { ...none, resources: [{ ...Manifest.resource(part), ...contents(part) }] }
    case "ResourceTemplate":
      return { ...none, templates: [{ ...Manifest.template(part), ...contents(part) }] }
    case "PromptTemplate":
      return { ...none, prompts: [Manifest.prompt(part)] }
  }
}

const describe = (parts: ReadonlyArray<Part<unknown>>): Description => {
  const described = parts.map(describePart)
  return {
    tools: described.flatMap(({ tools }) => tools),
    resources: described.flatMap(({ resources }) => resources),
    templates: described.flatMap(({ templates }) => templates),
    prompts: described.flatMap(({ prompts }) => prompts)
  }
}

/**
 * A program whose services are those of the fiber that runs it: the signature of `layer` asks for those that are taken
 * when the catalogue is built, and `provideBuilt` adds those of a request when there is one.
 */
const withoutRequirements = <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E> =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  Effect.updateContext(program, (context: Context.Context<never>) => context as Context.Context<R>)

/**
 * Provides a program that runs for a request with what was there when the catalogue was built. What it opens is closed
 * with the request.
 */
const provideBuilt = <R>() =>
  Effect.map(
    Effect.context<R>(),
    (built) =>
      <A, E>(program: Effect.Effect<A, E, R | RequestServices>): Effect.Effect<A, E, RequestServices> =>
        Effect.updateContext(Effect.scoped(program), (request: Context.Context<RequestServices>) =>
          Context.merge(built, request)
        )
  )

const entriesOf = Effect.fnUntraced(function* <R>(parts: ReadonlyArray<Part<R>>): Effect.fn.Return<Entries, never, R> {
  const made = yield* Effect.forEach(parts, (part) => entries(part))
  return {
    tools: made.flatMap(({ tools }) => tools),
    resources: made.flatMap(({ resources }) => resources),
    templates: made.flatMap(({ templates }) => templates),
    prompts: made.flatMap(({ prompts }) => prompts),
    extensions: made.flatMap(({ extensions }) => extensions)
  }
})

const entries = Effect.fnUntraced(function* <R>(part: Part<R>): Effect.fn.Return<Entries, never, R> {
  const provided = yield* provideBuilt<R>()
  const completed = (completions: Completions<R>): Completions<RequestServices> =>
    Record.map(completions, (complete): Completions<RequestServices>[string] =>
      complete === undefined ? undefined : (typed, others) => provided(complete(typed, others))
    )
  switch (part._tag) {
    case "Several":
      return yield* part.entries
    case "Resource":
      return { ...none, resources: [{ ...Manifest.resource(part), read: provided(part.read) }] }
    case "ResourceTemplate": {
      const read = (values: unknown) => provided(part.read(values))
      return { ...none, templates: [{ ...Manifest.template(part), read, complete: completed(part.complete) }] }
    }
    case "PromptTemplate": {
      const content = (values: unknown) => provided(part.content(values))
      return { ...none, prompts: [{ ...Manifest.prompt(part), content, complete: completed(part.complete) }] }
    }
  }
})
