import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { globSync } from "node:fs"
import { dirname, join } from "node:path"
import process from "node:process"

import { register } from "../../examples/nextjs/instrumentation.ts"
import { serve } from "./FetchServer.ts"
import type { Handler } from "../../src/server/testing/Visitor.ts"

const folder = join(import.meta.dirname, "../../examples/nextjs/app")

type Methods = Readonly<Partial<Record<string, Handler>>>

const routeOf = async (file: string): Promise<[string, Methods]> => {
  const segments = dirname(file)
  return [segments === "." ? "/" : `/${segments}`, (await import(join(folder, file))) as Methods]
}

/** Serves the route handlers of the Next.js example at the paths that their folders say, as Next.js does. */
const main = Effect.gen(function* () {
  const routes = new Map(
    yield* Effect.promise(() => Promise.all(globSync("**/route.ts", { cwd: folder }).map(routeOf)))
  )
  yield* Effect.promise(register)
  yield* serve(Number(process.env["PORT"]), async (request) => {
    const route = routes.get(new URL(request.url).pathname)
    const handler = route?.[request.method]
    return handler === undefined ? new Response(null, { status: route ? 405 : 404 }) : handler(request)
  })
  return yield* Effect.never
})

NodeRuntime.runMain(Effect.scoped(main))
