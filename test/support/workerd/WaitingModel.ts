import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { make } from "../../../src/server/Worker.ts"
import { catalogue } from "../../server/fixture/Catalogue.ts"
import { FixtureSettings } from "../../server/fixture/FixtureSettings.ts"
import { Painter } from "../../server/fixture/Painting.ts"

/** What became of the calls to the model. */
export interface ModelCalls {
  readonly started: number
  readonly aborted: number
  readonly answered: number
}

const calls = { started: 0, aborted: 0, answered: 0 }

/** What a model does that takes longer than any test, unless its caller gives up. */
const ask = (signal: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    calls.started += 1
    const timer = setTimeout(() => {
      calls.answered += 1
      resolve()
    }, 20_000)
    signal.addEventListener("abort", () => {
      calls.aborted += 1
      clearTimeout(timer)
      reject(new Error("aborted"))
    })
  })

const painter = Layer.succeed(Painter, {
  paint: () => Effect.as(Effect.promise(ask), { colour: "red", bytes: new Uint8Array() })
})

const server = make({
  name: "fixture-server",
  title: "Fixture server",
  version: "1.2.3",
  scopes: { "paint:use": "Paint in your name" },
  settings: [FixtureSettings],
  catalogue: catalogue(painter)
})

/** The fixture with a painter that asks the model above; `/_model` tells what became of its calls. */
export default {
  fetch: (request) => (new URL(request.url).pathname === "/_model" ? Response.json(calls) : server.fetch(request))
} satisfies ExportedHandler

/** Sessions with the same painter. */
export class AccountObject extends server.AccountObject {}
