import * as Effect from "effect/Effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { Access } from "../access/Access.ts"
import { isOperator, Operators } from "../access/Operators.ts"
import { AccountStubs, type AccountUnavailable } from "../account/AccountStub.ts"
import { AppConfig } from "../config/AppConfig.ts"
import { ServerInfo } from "../config/ServerInfo.ts"
import { UserId } from "../domain/Principal.ts"
import type { AuthorizationFailure } from "../oauth/AuthorizationFailure.ts"
import { Grants } from "../oauth/Grants.ts"
import { SignIn } from "../oauth/SignIn.ts"
import { accountPage, signedOutPage } from "./AccountPage.ts"
import * as AccountSession from "./AccountSession.ts"
import { errorPage } from "./Page.ts"
import { readForm, webRequest } from "./WebRequest.ts"

/** How many rows of what was recorded are shown. */
const shown = 50
/** How many clients are looked up at a time. */
const concurrency = 5

export const decodeUserId = Schema.decodeUnknownOption(UserId)

/** What ends a request to the page early: the answer to it. */
export const instead = (answer: Effect.Effect<HttpServerResponse.HttpServerResponse>) =>
  Effect.flatMap(answer, Effect.fail)

export const tryLater = errorPage(503, "This is not possible right now", "Please try again in a moment.")

/** Who is signed in to the page, with what is known of them now. Whoever is not, gets the page that says so. */
export const visitor = Effect.fnUntraced(function* (request: Request) {
  const { PUBLIC_URL: publicUrl } = yield* AppConfig
  const { announcement } = yield* SignIn
  const session = yield* AccountSession.current(request)
  if (session === undefined) {
    return yield* instead(signedOutPage(publicUrl, announcement))
  }
  const user = yield* Effect.catchTag((yield* Access).current(session.userId), "AccessError", ({ reason, message }) =>
    instead(
      reason._tag === "AccessUnknown"
        ? tryLater
        : errorPage(
            403,
            "You cannot use this server",
            `${message} Sign in with another account, or ask the operator of this server.`,
            undefined,
            AccountSession.closed()
          )
    )
  )
  return { session, user, isOperator: isOperator(yield* Operators, user) }
})

export type Visitor = Effect.Success<ReturnType<typeof visitor>>

/** The form of a request, if this server's own page sent it from this browser. */
export const ownForm = Effect.fnUntraced(function* (request: Request) {
  const form = yield* Effect.catchTag(readForm(request), "FormRejected", ({ status, description }) =>
    instead(errorPage(status, "This form cannot be read", `${description}. Go back and send it again.`))
  )
  if (yield* AccountSession.isOwnForm(request, form)) return form
  return yield* instead(
    errorPage(
      403,
      "This form cannot be taken",
      "It does not come from this page, or the page was open for too long. Load the page again."
    )
  )
})

/** What the store or an object of a user cannot answer at present. */
export const unreached = <A, R>(
  effect: Effect.Effect<A, AuthorizationFailure | AccountUnavailable, R>
): Effect.Effect<A, HttpServerResponse.HttpServerResponse, R> =>
  Effect.catchTags(effect, {
    AuthorizationFailure: () => instead(tryLater),
    AccountUnavailable: () => instead(tryLater)
  })

/** The page about a person, for whoever looks at it. */
export const view = Effect.fnUntraced(function* (looking: Visitor, userId: UserId, explained?: string) {
  const { PUBLIC_URL: server } = yield* AppConfig
  const { scopes } = yield* ServerInfo
  const grants = yield* Grants
  const accounts = yield* AccountStubs
  const another = userId !== looking.session.userId
  const user = another
    ? yield* Effect.catchTag((yield* Access).current(userId), "AccessError", ({ message }) =>
        instead(errorPage(404, "This person cannot be shown", `${message} Go back and find somebody else.`))
      )
    : looking.user
  const found = yield* unreached(grants.list(userId))
  const recorded = yield* unreached(accounts.forUser(userId).newest(shown))
  const connections = yield* Effect.forEach(
    found.toSorted((one, other) => other.usedAt - one.usedAt),
    // Whoever wants to end a connection shall not have to wait until its name can be read.
    (grant) =>
      Effect.map(Effect.option(grants.clientName(grant.clientId)), (name) => ({
        grant,
        clientName: Option.getOrUndefined(name)
      })),
    { concurrency }
  )
  return yield* accountPage({
    server,
    user,
    connections,
    recorded,
    scopes,
    token: yield* looking.session.formToken,
    ...(looking.isOperator && { operator: { another, ...(explained !== undefined && { explained }) } })
  })
})

/** Runs a program whose failures are answers. */
export const answering = <R>(
  program: (
    request: Request
  ) => Effect.Effect<HttpServerResponse.HttpServerResponse, HttpServerResponse.HttpServerResponse, R>
) => Effect.flatMap(webRequest, (request) => Effect.matchEager(program(request), { onFailure: same, onSuccess: same }))

const same = (answer: HttpServerResponse.HttpServerResponse) => answer
