import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import { AppConfig } from "../config/AppConfig.ts"
import type { UserId } from "../domain/Principal.ts"
import { AuthorizationFailure } from "../oauth/AuthorizationFailure.ts"
import { Grants } from "../oauth/Grants.ts"
import { SignIn } from "../oauth/SignIn.ts"
import type { Grant } from "../oauth/UserAuthorities.ts"
import * as AccountSession from "./AccountSession.ts"
import { answering, decodeUserId, ownForm, unreached, view, visitor } from "./AccountVisit.ts"
import { answerFailure } from "./AuthorizationAnswer.ts"
import { Idempotency } from "./Idempotency.ts"
import { notFound } from "./Landing.ts"
import { errorPage, redirect } from "./Page.ts"
import { note } from "./People.ts"
import { readForm, webRequest } from "./WebRequest.ts"

/** How many connections are ended at a time. */
const concurrency = 5

const toAccount = redirect("/account", new Headers())

/** `GET /account`: the apps that the person has connected. */
export const show = answering(
  Effect.fnUntraced(function* (request) {
    const looking = yield* visitor(request)
    return yield* view(looking, looking.session.userId)
  })
)

/** `POST /account/sign-in`: goes to where people sign in; `/callback` brings them back. */
export const signIn = Effect.gen(function* () {
  const request = yield* webRequest
  const { PUBLIC_URL: publicUrl } = yield* AppConfig
  if (request.headers.get("origin") !== publicUrl.origin) {
    return yield* errorPage(
      403,
      "This form cannot be taken",
      "It was sent by another site. Open the page of your connected apps here, and sign in there."
    )
  }
  const form = yield* Effect.mapError(
    readForm(request),
    (reason) => new AuthorizationFailure({ reason, atAccount: true })
  )
  const known = yield* (yield* Idempotency).known(request)
  const next = yield* (yield* SignIn).beginForAccount(known, form.get("as") === "another")
  return redirect(next.location, next.headers)
}).pipe(Effect.catchTag("AuthorizationFailure", answerFailure))

/** `POST /account/sign-out` */
export const signOut = answering(
  Effect.fnUntraced(function* (request) {
    yield* ownForm(request)
    return redirect("/account", AccountSession.closed())
  })
)

/** Ends connections of somebody, and notes it for them where an operator did. */
const end = Effect.fnUntraced(function* (userId: UserId, ended: ReadonlyArray<Grant>, by: UserId | undefined) {
  const grants = yield* Grants
  if (by === undefined) {
    const grantIds = ended.map(({ id }) => id)
    yield* Effect.annotateLogs(Effect.logInfo("A person ends connections"), { userId, grantIds })
  }
  yield* Effect.forEach(ended, ({ id }) => unreached(grants.end(userId, id)), { concurrency, discard: true })
  if (by === undefined) return
  yield* note(
    by,
    userId,
    ...ended.map(({ id: grantId, clientId, organizationId }) => ({
      _tag: "Ended" as const,
      clientId,
      grantId,
      ...(organizationId !== undefined && { organizationId })
    }))
  )
})

/** `POST /account/end`: ends one connection or all, the person's own or, for an operator, somebody else's. */
export const endConnections = answering(
  Effect.fnUntraced(function* (request) {
    const form = yield* ownForm(request)
    const looking = yield* visitor(request)
    const userId = Option.getOrUndefined(decodeUserId(form.get("user")))
    const own = userId === looking.session.userId
    if (userId === undefined || (!own && !looking.isOperator)) return yield* notFound
    const all = yield* unreached((yield* Grants).list(userId))
    const chosen = form.get("grant")
    yield* end(
      userId,
      all.filter(({ id }) => chosen === "all" || id === chosen),
      own ? undefined : looking.session.userId
    )
    return own ? toAccount : redirect(`/account/people/${userId}`, new Headers())
  })
)
