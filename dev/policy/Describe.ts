import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Scope from "effect/Scope"
import { type Description, describedBy } from "../../src/server/mcp/Catalogue.ts"
import type { Server } from "../../src/server/Server.ts"

/**
 * Everything that a server can have in its catalogue, whatever its settings; `undefined` where that cannot be told
 * without them. Nothing of the catalogue is built. Layers of services that are provided to it are tried without
 * settings, bindings and waiting, and left out where they need any of it: nothing here uses a service.
 */
const describe = ({ catalogue }: Server): Description | undefined => {
  const found: Array<Description> = []
  const scope = Scope.makeUnsafe()
  const memoMap: Layer.MemoMap = {
    "~effect/Layer/MemoMap": "~effect/Layer/MemoMap",
    get: () => undefined,
    getOrElseMemoize: <RIn, E, ROut>(
      layer: Layer.Layer<ROut, E, RIn>,
      _: Scope.Scope,
      build: (memoMap: Layer.MemoMap, scope: Scope.Scope) => Effect.Effect<Context.Context<ROut>, E, RIn>
    ) => {
      const description = describedBy(layer)
      if (description !== undefined) {
        found.push(description)
        return Effect.succeed(without<ROut>())
      }
      return Effect.contextWith((context: Context.Context<RIn>) => {
        const built = Effect.runSyncExitWith(context)(Effect.suspend(() => build(memoMap, scope)))
        return Effect.succeed(Exit.isSuccess(built) ? built.value : without<ROut>())
      })
    }
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what it needs is missing, which is what `memoMap` is for
  Effect.runSyncExit(Layer.buildWithMemoMap(catalogue as Layer.Layer<unknown>, memoMap, scope))
  Effect.runFork(Scope.close(scope, Exit.void))
  return found.length === 0
    ? undefined
    : {
        tools: found.flatMap(({ tools }) => tools),
        resources: found.flatMap(({ resources }) => resources),
        templates: found.flatMap(({ templates }) => templates),
        prompts: found.flatMap(({ prompts }) => prompts)
      }
}

/** Under this key `Layer.unwrap` looks for the layer that an effect has made. */
const Unwrapped = Context.Service<Layer.Layer<never>>("effect/Layer/unwrap")

/** In place of services that could not be built, and of a layer that could not be made. */
const without = <R>() => Context.make(Unwrapped, Layer.empty) as unknown as Context.Context<R> // oxlint-disable-line typescript/no-unsafe-type-assertion

const isServerModule = (exported: unknown): exported is { readonly server: Server } =>
  Predicate.hasProperty(exported, "server") && Predicate.hasProperty(exported.server, "catalogue")

/** The description of what the module of a Worker exports by default, if that is a server. */
export const describeModule = (exported: unknown): Description | "no server" | undefined =>
  isServerModule(exported) ? describe(exported.server) : "no server"
