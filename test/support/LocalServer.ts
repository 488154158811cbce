import * as NodeServices from "@effect/platform-node/NodeServices"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"

import { ClerkStandIn } from "../../dev/clerk/ClerkStandIn.ts"
import { startWorker } from "../../dev/LocalWorker.ts"

type Settings = Readonly<Record<string, string>>

/** What starting a Worker takes of this machine. */
export const platform = Layer.mergeAll(NodeServices.layer, FetchHttpClient.layer, SecureRandom.layerWebCrypto)

/**
 * Runs `use` on the Worker and its Clerk stand-in, on ports and in a folder of their own. `publicUrl` is where people
 * reach the Worker, if something stands in front of it.
 */
export const withServer = <A, E, R>(
  options: {
    readonly port: number
    readonly publicUrl?: string
    readonly entry?: string
    readonly settings?: Settings
  },
  use: (addresses: { readonly worker: string; readonly clerk: string }) => Effect.Effect<A, E, R>
) => {
  const { port, publicUrl = `http://localhost:${port}`, entry, settings = {} } = options
  return Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const clerk = yield* ClerkStandIn
    yield* startWorker({
      port,
      settings: { ...clerk.settings, PUBLIC_URL: publicUrl, ...settings },
      storage: yield* files.makeTempDirectoryScoped({ prefix: "worker-storage-" }),
      quiet: true,
      ...(entry !== undefined && { entry })
    })
    return yield* use({ worker: publicUrl, clerk: clerk.url })
  }).pipe(Effect.provide(ClerkStandIn.layer({ port: 0, redirectUris: [`${publicUrl}/callback`] })), Effect.scoped)
}
