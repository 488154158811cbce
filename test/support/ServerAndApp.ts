import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"

import { wallClock } from "../../dev/clerk/StandInClock.ts"
import { startApp } from "../../dev/LocalApp.ts"
import { freePort } from "./FreePort.ts"
import { RunningServer } from "./RunningServer.ts"

/**
 * The server on `localhost`, and the React Router example on `127.0.0.1`, through which people sign in: two sites, as
 * they are in production. Two ports of one host would be one site, and cookies would go where they must not be needed.
 */
export const serverAndApp = Layer.unwrap(
  Effect.map(Effect.promise(freePort), (port) => {
    const app = Effect.flatMap(RunningServer, ({ url, clerk }) =>
      startApp({ port, mcpServerUrl: url, clerk, quiet: true })
    )
    return Layer.effectDiscard(app).pipe(
      Layer.provide([NodeServices.layer, FetchHttpClient.layer, wallClock]),
      Layer.provideMerge(RunningServer.layerWithApp(`http://127.0.0.1:${port}`))
    )
  })
)
