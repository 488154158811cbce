import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { ClerkSessions } from "../ClerkSessions.ts"
import { Directory } from "../Directory.ts"
import { randomSecret } from "../Ids.ts"
import { KeyRing } from "../KeyRing.ts"
import { SessionTokens } from "../SessionTokens.ts"
import { cookieSuffixOf, publishableKeyOf, StandInSettings } from "../StandInOptions.ts"

/** What the stand-in knows of the browser in front of it. */
export interface ClerkBrowser {
  readonly sessionId: string | undefined
  /** Identifies the browser of a development instance, whose cookies are on another domain than the application's. */
  readonly devBrowser: string | undefined
}

export type Directives = ReadonlyArray<string>

/** The cookies by which an application learns who is signed in, and the two forms in which they travel. */
export class Handshakes extends Context.Service<
  Handshakes,
  {
    /** A signed-out browser gets cookies that say so. The session token is minted for `application`, an origin. */
    readonly directives: (browser: ClerkBrowser, application: string) => Effect.Effect<Directives>
    /** Seconds since the epoch; 0 for a browser that is signed out. */
    readonly signedInAt: (sessionId: string | undefined) => Effect.Effect<number>
    /** As a JWT of the instance. */
    readonly asToken: (directives: Directives) => Effect.Effect<string>
    /** Kept here, under a name that works once. */
    readonly asNonce: (directives: Directives) => Effect.Effect<string>
    readonly redeem: (nonce: string) => Effect.Effect<Option.Option<Directives>>
    /** A cookie's name, and the same with the instance's suffix. */
    readonly namesOf: (cookie: string) => ReadonlyArray<string>
  }
>()("dev/clerk/frontend-api/Handshakes") {
  static readonly layer = Layer.effect(
    Handshakes,
    Effect.gen(function* () {
      const { instance, origin } = yield* StandInSettings
      const sessions = yield* ClerkSessions
      const directory = yield* Directory
      const tokens = yield* SessionTokens
      const keys = yield* KeyRing
      const kept = new Map<string, Directives>()
      const suffix = cookieSuffixOf(publishableKeyOf(origin, instance))
      const namesOf = (cookie: string) => [cookie, `${cookie}_${suffix}`]

      const signedIn = Effect.fnUntraced(function* (sessionId: string | undefined) {
        const session = sessionId === undefined ? Option.none() : yield* sessions.find(sessionId)
        if (Option.isNone(session) || session.value.status !== "active") return undefined
        const user = yield* directory.findInGoodStanding(session.value.userId)
        return Option.isNone(user) ? undefined : { session: session.value, user: user.value }
      })
      const secondsOf = (millis = 0) => Math.floor(millis / 1000)

      return Handshakes.of({
        directives: Effect.fnUntraced(function* ({ devBrowser, sessionId }, application) {
          const found = yield* signedIn(sessionId)
          if (found !== undefined) yield* sessions.touch(found.session.id)
          const token =
            found === undefined
              ? undefined
              : yield* tokens.forSession(found.session, found.user, { authorizedParty: application })
          const set = (name: string, value: string) => `${name}=${value}; Path=/; SameSite=Lax`
          const clear = (name: string) => `${name}=; Path=/; Max-Age=0`
          return [
            clear("__clerk_handshake"),
            clear("__clerk_handshake_nonce"),
            ...(devBrowser === undefined ? [] : namesOf("__clerk_db_jwt").map((name) => set(name, devBrowser))),
            ...namesOf("__client_uat").map((name) => set(name, String(secondsOf(found?.session.createdAt)))),
            ...namesOf("__session").map((name) => (token === undefined ? clear(name) : set(name, token)))
          ]
        }),
        signedInAt: (sessionId) => Effect.map(signedIn(sessionId), (found) => secondsOf(found?.session.createdAt)),
        // Clerk gives it the category of session tokens.
        asToken: (directives) => keys.sign({ handshake: directives }, { cat: "cl_B7d4PD111AAA" }),
        asNonce: (directives) =>
          Effect.sync(() => {
            const nonce = randomSecret(32)
            kept.set(nonce, directives)
            return nonce
          }),
        redeem: (nonce) =>
          Effect.sync(() => {
            const directives = Option.fromUndefinedOr(kept.get(nonce))
            kept.delete(nonce)
            return directives
          }),
        namesOf
      })
    })
  )
}
