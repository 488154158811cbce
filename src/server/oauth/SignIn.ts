import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { UserSnapshot } from "../access/UserSnapshot.ts"
import type { GrantProps, OrganizationId } from "../domain/Principal.ts"
import type { AuthorizationFailure } from "./AuthorizationFailure.ts"
import type { AuthRequest, WithHeaders } from "./OAuthLibrary.ts"

/** When the person consented: on the page just before, or on an earlier visit of this browser. */
export const ConsentTime = Schema.Literals(["now", "earlier"])
export type ConsentTime = typeof ConsentTime.Type

/**
 * What a sign-in is for: a client that the person consented to, or the account page. It is kept with the sign-in, out of
 * reach of clients: none can sign anybody in to the page, and no grant can come of a sign-in to it.
 */
export const SignInFor = Schema.Literals([...ConsentTime.literals, "account"])

/** Who or what waited for the person to sign in. */
export type Waiting =
  | { readonly for: "client"; readonly authRequest: AuthRequest; readonly consent: ConsentTime }
  | { readonly for: "account" }

/** Who signed in. */
export interface SignedIn {
  readonly subject: GrantProps
  /** The organization that is open in the app where the person signed in: a proposal, which has to be checked. */
  readonly proposed?: OrganizationId
}

/** Somebody who has just signed in, with what is known of them at this moment. */
export interface SignedInNow extends SignedIn {
  readonly user: UserSnapshot
}

/** Where the browser goes next, and the cookies that it takes along. */
interface Step extends WithHeaders {
  readonly location: string
}

/** How another site hands over who signed in: by a form that it makes the browser post to `/callback`. */
interface PostedProof {
  /** Takes the form of a page of `origin`. */
  readonly receive: (origin: string | null, form: URLSearchParams) => Effect.Effect<Step, AuthorizationFailure>
  /** The cookies that take away what of a sign-in that failed is still in the browser. */
  readonly leftovers: (request: Request) => ReadonlyArray<string>
}

/** How the person proves who they are, between consent and the client's code. */
export class SignIn extends Context.Service<
  SignIn,
  {
    /** What the consent page says comes next. */
    readonly announcement: string
    /** Where to send the browser once there is consent. `headers` are those of the consent page's answer. */
    readonly begin: (
      authRequest: AuthRequest,
      headers: Headers,
      consent: ConsentTime
    ) => Effect.Effect<Step, AuthorizationFailure>
    /** The same for somebody who wants to see the account page; `anew`: as somebody else than last time. */
    readonly beginForAccount: (headers: Headers, anew: boolean) => Effect.Effect<Step, AuthorizationFailure>
    /**
     * The handle of the authorization that a `state` continues. One that this server did not sign for it, or too long
     * ago, is refused before any storage is asked.
     */
    readonly handle: (state: string) => Effect.Effect<string, AuthorizationFailure>
    /** Takes the browser back at `/callback`: what it continues, and who signed in. */
    readonly finish: (request: Request) => Effect.Effect<WithHeaders & SignedInNow & Waiting, AuthorizationFailure>
    /** Only where the proof is posted here. */
    readonly posted?: PostedProof
  }
>()("oauth/SignIn") {}
