import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Cookies from "effect/http/Cookies"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"

import { AppConfig } from "../config/AppConfig.ts"
import { UserId } from "../domain/Principal.ts"
import { StateSigner } from "../oauth/StateSigner.ts"
import { forgotten } from "./Idempotency.ts"

/** How long somebody stays signed in to the account page, and a form of it can be sent. */
const lifetime = Duration.minutes(30)

const cookieName = "__Host-account"
const cookie = (value: string, maxAge: number) =>
  `${cookieName}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; Secure; SameSite=Lax`

const separator = " "
const decodeUserId = Schema.decodeUnknownOption(UserId)

/** What the browser's cookie says: whose session it is, and its number, by which no two sessions are alike. */
const verified = Effect.fnUntraced(function* (request: Request) {
  const signer = yield* StateSigner
  const value = Cookies.parseHeader(request.headers.get("cookie") ?? "")[cookieName] ?? ""
  const session = Option.getOrUndefined(yield* Effect.option(signer.verify("account", value)))
  const userId = Option.getOrUndefined(decodeUserId(session?.split(separator)[0]))
  return session === undefined || userId === undefined ? undefined : { session, userId }
})

/** Somebody who is signed in to the account page. */
export interface AccountSession {
  readonly userId: UserId
  /** Goes into each form of the page, and has to come back. */
  readonly formToken: Effect.Effect<string>
}

/** The cookie that signs a browser in to the account page. */
export const opened = Effect.fnUntraced(function* (userId: UserId) {
  const signer = yield* StateSigner
  const number = yield* Random.nextInt
  const value = yield* signer.sign("account", `${userId}${separator}${number}`, lifetime)
  return cookie(value, Duration.toSeconds(lifetime))
})

/** The headers that sign it out, and let it forget the sign-in: its last step would be answered again. */
export const closed = (): Headers =>
  new Headers([
    ["set-cookie", cookie("", 0)],
    ["set-cookie", forgotten]
  ])

/** Who is signed in to the account page in this browser, if anybody is. */
export const current = Effect.fnUntraced(function* (request: Request) {
  const signer = yield* StateSigner
  const found = yield* verified(request)
  if (found === undefined) return undefined
  const { session, userId } = found
  const signedIn: AccountSession = { userId, formToken: signer.sign("account-form", session, lifetime) }
  return signedIn
})

/**
 * Whether this server's own page sent the form, from this session, not too long ago. A page of another site has neither
 * the origin nor the token.
 */
export const isOwnForm = Effect.fnUntraced(function* (request: Request, form: URLSearchParams) {
  const { PUBLIC_URL: publicUrl } = yield* AppConfig
  const signer = yield* StateSigner
  if (request.headers.get("origin") !== publicUrl.origin) return false
  const made = yield* Effect.option(signer.verify("account-form", form.get("token") ?? ""))
  return Option.isSome(made) && made.value === (yield* verified(request))?.session
})
