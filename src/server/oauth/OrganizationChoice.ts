import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { GrantProps } from "../domain/Principal.ts"
import type { AuthorizationFailure } from "./AuthorizationFailure.ts"
import type { AuthRequest, WithHeaders } from "./OAuthLibrary.ts"
import { makePending } from "./PendingSignIn.ts"
import { ConsentTime } from "./SignIn.ts"

/** Somebody who has signed in, and an authorization that waits for what they choose. */
const Kept = Schema.Struct({ subject: GrantProps, consent: ConsentTime })
type Kept = typeof Kept.Type

/** The page between sign-in and grant on which a member of several organizations chooses one. */
export class OrganizationChoice extends Context.Service<
  OrganizationChoice,
  {
    /**
     * Keeps the authorization, and who signed in, for one use within 10 minutes by this browser: encrypted, under the
     * `state` that goes into the form. `headers` are those of the step before.
     */
    readonly begin: (
      authRequest: AuthRequest,
      kept: Kept,
      headers: Headers
    ) => Effect.Effect<WithHeaders & { readonly state: string }, AuthorizationFailure>
    /** The handle of the authorization that a `state` continues, if this server signed it for this, not too long ago. */
    readonly handle: (state: string) => Effect.Effect<string, AuthorizationFailure>
    /** Takes the form back: what was kept, for the browser that it was kept for. */
    readonly finish: (
      request: Request,
      state: string
    ) => Effect.Effect<WithHeaders & Kept & { readonly authRequest: AuthRequest }, AuthorizationFailure>
  }
>()("oauth/OrganizationChoice") {
  static readonly layer = Layer.effect(
    OrganizationChoice,
    Effect.gen(function* () {
      const pending = yield* makePending("organization", Kept)

      return OrganizationChoice.of({
        begin: Effect.fn("OrganizationChoice.begin")(pending.begin),
        handle: pending.verify,
        finish: Effect.fn("OrganizationChoice.finish")(function* ({ url, headers }, state) {
          const address = new URL(url)
          address.search = new URLSearchParams({ state }).toString()
          const asked = new Request(address, { headers: { cookie: headers.get("cookie") ?? "" } })
          const finished = yield* pending.finish(asked, (_, { subject }) => Effect.succeed({ subject }))
          // What is kept here always names a client's consent.
          return finished.for === "client" ? finished : yield* Effect.die(new TypeError("no client waits"))
        })
      })
    })
  )
}
