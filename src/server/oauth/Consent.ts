import type { ConsentDescription } from "@cloudflare/workers-oauth-provider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

import * as Scope from "../domain/Scope.ts"
import type { AuthorizationFailure } from "./AuthorizationFailure.ts"
import { attempt, type AuthRequest, OAuthLibrary, type WithHeaders } from "./OAuthLibrary.ts"
import { StateSigner } from "./StateSigner.ts"

export type { ConsentDescription }

/** What a person allows a client: the form that asks, and the approvals that a browser remembers. */
export class Consent extends Context.Service<
  Consent,
  {
    /** What the consent page has to show. The client chose most of it: escape it. */
    readonly describe: (authRequest: AuthRequest) => Effect.Effect<ConsentDescription, AuthorizationFailure>
    /** The request with the scopes that this browser remembers as approved, if they cover what is asked for. */
    readonly remembered: (
      request: Request,
      authRequest: AuthRequest
    ) => Effect.Effect<AuthRequest | undefined, AuthorizationFailure>
    /** Opens a consent page: `handle` goes into its form, works once, for 10 minutes, in this browser. */
    readonly begin: (
      authRequest: AuthRequest
    ) => Effect.Effect<WithHeaders & { readonly handle: string }, AuthorizationFailure>
    /** Takes the form back: the request as stored, with the scopes that the person ticked. */
    readonly approve: (
      request: Request,
      handle: string,
      choice: { readonly scopes: ReadonlyArray<string>; readonly remember: boolean }
    ) => Effect.Effect<WithHeaders & { readonly authRequest: AuthRequest }, AuthorizationFailure>
    /** Takes the form back declined: where the client learns of it. */
    readonly deny: (
      request: Request,
      handle: string
    ) => Effect.Effect<WithHeaders & { readonly redirectTo: string }, AuthorizationFailure>
  }
>()("oauth/Consent") {
  static readonly layer = Layer.effect(
    Consent,
    Effect.gen(function* () {
      const { helpers, scopes } = yield* OAuthLibrary
      const signer = yield* StateSigner
      const rememberSecret = Effect.map(signer.secretFor("remembered consent"), Redacted.value)

      return Consent.of({
        describe: (authRequest) => attempt("describeConsent", () => helpers.describeConsent(authRequest)),

        remembered: Effect.fn("Consent.remembered")(function* (request, authRequest) {
          const secret = yield* rememberSecret
          const covers = (scope: Array<string>) =>
            attempt("isConsentRemembered", () =>
              helpers.isConsentRemembered(request, { ...authRequest, scope }, { secret })
            )
          if (!(yield* covers(authRequest.scope))) return undefined
          const approved = yield* Effect.filter(scopes, (scope) => covers([...authRequest.scope, scope]))
          return { ...authRequest, scope: [...approved] }
        }),

        begin: (authRequest) => attempt("beginConsent", () => helpers.beginConsent(authRequest)),

        approve: Effect.fn("Consent.approve")(function* (request, handle, { scopes, remember }) {
          const secret = yield* rememberSecret
          const approved = yield* attempt("approveConsent", () =>
            helpers.approveConsent(request, handle, {
              scope: [...new Set([Scope.baseline, ...scopes])],
              ...(remember && { remember: { secret } })
            })
          )
          return { authRequest: approved.request, headers: approved.headers }
        }),

        deny: (request, handle) => attempt("denyConsent", () => helpers.denyConsent(request, handle))
      })
    })
  )
}
