import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

import { ClerkSessionTokens } from "../access/ClerkSessionTokens.ts"
import { AppApi } from "../capability/AppApi.ts"
import { UserGrants } from "../capability/UserGrants.ts"
import { fakeHttp } from "./FakeHttp.ts"

/** Where the team's app is, in tests. */
const appUrl = new URL("https://app.example.com")

/**
 * `AppApi` on an app that is one function from request to response. Everything between is real: a status that the app
 * should not answer, or JSON that was not agreed, fails as it does in the server. Clerk gives every session a token; a
 * caller without a `clerkSessionId` has to sign in, as in the server.
 */
export const fakeApp = (answer: (request: Request) => Response | Promise<Response>): Layer.Layer<AppApi> => {
  const token = () => Effect.succeed(Redacted.make("a-token-of-the-tests"))
  return AppApi.layerNoDeps(appUrl).pipe(
    Layer.provide([
      SecureRandom.layerWebCrypto,
      fakeHttp((request) => Effect.promise(async () => answer(request))),
      Layer.succeed(ClerkSessionTokens, { alive: () => Effect.void, current: token, renewed: token }),
      Layer.mock(UserGrants, { end: () => Effect.void }),
      SecureRandom.layerWebCrypto
    ])
  )
}
