import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { Access } from "../access/Access.ts"
import { isOperator, Operators } from "../access/Operators.ts"
import { AccountStubs, type AccountUnavailable } from "../account/AccountStub.ts"
import { ClerkApi } from "../clerk/ClerkApi.ts"
import { AppConfig } from "../config/AppConfig.ts"
import { ServerInfo } from "../config/ServerInfo.ts"
import { UserId } from "../domain/Principal.ts"
import { Kind, ServerFactory } from "../mcp/ServerFactory.ts"
import { AuthorizationFailure } from "../oauth/AuthorizationFailure.ts"
import { Grants } from "../oauth/Grants.ts"
import { SignIn } from "../oauth/SignIn.ts"
import type { Grant } from "../oauth/UserAuthorities.ts"
import type { Decision } from "../observability/Decisions.ts"
import * as Incident from "../observability/Incident.ts"
import { accountPage, signedOutPage } from "./AccountPage.ts"
import * as AccountSession from "./AccountSession.ts"
import { answerFailure } from "./AuthorizationAnswer.ts"
import { explainNow } from "./Explaining.ts"
import { Idempotency } from "./Idempotency.ts"
import { notFound } from "./Landing.ts"
import { errorPage, redirect } from "./Page.ts"
import { readForm, webRequest } from "./WebRequest.ts"

/** How many decisions are shown. */
const shown = 50
/** How many connections are ended at a time. */
const concurrency = 5

const decodeUserId = Schema.decodeUnknownOption(UserId)
const isKind = Schema.is(Kind)

/** What ends a request to the page early: the answer to it. */
const instead = (answer: Effect.Effect<HttpServerResponse.HttpServerResponse>) => Effect.flatMap(answer, Effect.fail)

const tryLater = errorPage(503, "This is not possible right now", "Please try again in a moment.")
const toAccount = redirect("/account", new Headers())

/** Who is signed in to the page, with what is known of them now. Whoever is not, gets the page that says so. */
const visitor = Effect.fnUntraced(function* (request: Request) {
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
        : errorPage(403, "You cannot use this server", message, undefined, AccountSession.closed())
    )
  )
  return { session, user, isOperator: isOperator(yield* Operators, user) }
})

type Visitor = Effect.Success<ReturnType<typeof visitor>>

/** The form of a request, if this server's own page sent it from this browser. */
const ownForm = Effect.fnUntraced(function* (request: Request) {
  const form = yield* Effect.catchTag(readForm(request), "FormRejected", ({ status, description }) =>
    instead(errorPage(status, "This form cannot be read", description))
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
const unreached = <A, R>(
  effect: Effect.Effect<A, AuthorizationFailure | AccountUnavailable, R>
): Effect.Effect<A, HttpServerResponse.HttpServerResponse, R> =>
  Effect.catchTags(effect, {
    AuthorizationFailure: () => instead(tryLater),
    AccountUnavailable: () => instead(tryLater)
  })

/** The page about a person, for whoever looks at it. */
const view = Effect.fnUntraced(function* (looking: Visitor, userId: UserId, explained?: string) {
  const { PUBLIC_URL: server } = yield* AppConfig
  const { scopes } = yield* ServerInfo
  const grants = yield* Grants
  const accounts = yield* AccountStubs
  const another = userId !== looking.session.userId
  const user = another
    ? yield* Effect.catchTag((yield* Access).current(userId), "AccessError", ({ message }) =>
        instead(errorPage(404, "This person cannot be shown", message))
      )
    : looking.user
  const found = yield* unreached(grants.list(userId))
  const decisions: ReadonlyArray<Decision> = yield* unreached(accounts.forUser(userId).decisions({ limit: shown }))
  const connections = yield* Effect.forEach(
    found.toSorted((one, other) => other.usedAt - one.usedAt),
    (grant) => Effect.map(unreached(grants.clientName(grant.clientId)), (clientName) => ({ grant, clientName })),
    { concurrency }
  )
  return yield* accountPage({
    server,
    user,
    connections,
    decisions,
    scopes,
    token: yield* looking.session.formToken,
    ...(looking.isOperator && { operator: { another, ...(explained !== undefined && { explained }) } })
  })
})

/** Runs a program whose failures are answers. */
const answering = <R>(
  program: (
    request: Request
  ) => Effect.Effect<HttpServerResponse.HttpServerResponse, HttpServerResponse.HttpServerResponse, R>
) => Effect.flatMap(webRequest, (request) => Effect.matchEager(program(request), { onFailure: same, onSuccess: same }))

const same = (answer: HttpServerResponse.HttpServerResponse) => answer

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
    return yield* errorPage(403, "This form cannot be taken", "It was sent by another site.")
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
  const accounts = yield* AccountStubs
  yield* Effect.forEach(ended, ({ id }) => unreached(grants.end(userId, id)), { concurrency, discard: true })
  const grantIds = ended.map(({ id }) => id)
  const who = by === undefined ? "A person" : "An operator"
  yield* Effect.annotateLogs(Effect.logInfo(`${who} ended connections on the account page`), {
    userId,
    grantIds,
    ...(by !== undefined && { by })
  })
  if (by === undefined || ended.length === 0) return
  const time = yield* Clock.currentTimeMillis
  const records = yield* Effect.forEach(ended, ({ id, clientId, organizationId }) =>
    Effect.map(Incident.reference, (reference): Decision => ({
      time,
      userId,
      clientId,
      grantId: id,
      ...(organizationId !== undefined && { organizationId }),
      by,
      method: "account/end",
      name: "",
      policy: "allowed",
      lacked: [],
      durationMs: 0,
      outcome: "completed",
      reference
    }))
  )
  yield* unreached(accounts.forUser(userId).record(records))
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

/** Passes an operator. For anybody else there is nothing here. */
const operator = Effect.fnUntraced(function* (request: Request) {
  const looking = yield* visitor(request)
  return looking.isOperator ? looking : yield* instead(notFound)
})

/** `POST /account/people`: finds somebody by id or e-mail address, which stays out of addresses and logs. */
export const find = answering(
  Effect.fnUntraced(function* (request) {
    const form = yield* ownForm(request)
    yield* operator(request)
    const who = (form.get("who") ?? "").trim()
    const known = Option.getOrUndefined(decodeUserId(who))
    const userId =
      known ??
      (yield* Effect.catchTag((yield* ClerkApi).userWithEmail(who), "ClerkError", (failure) =>
        Effect.andThen(Incident.note("Clerk did not find a person", failure.reason), instead(tryLater))
      ))
    if (userId === undefined) {
      return yield* errorPage(404, "Nobody was found", "No account in Clerk has this id or e-mail address.")
    }
    return redirect(`/account/people/${userId}`, new Headers())
  })
)

/** `GET /account/people/{id}`: the connections of somebody, for an operator. */
export const showPerson = answering(
  Effect.fnUntraced(function* (request) {
    const looking = yield* operator(request)
    const [id] = new URL(request.url).pathname.split("/").slice(-1)
    const userId = Option.getOrUndefined(decodeUserId(id))
    if (userId === undefined) return yield* notFound
    yield* Effect.annotateLogs(Effect.logInfo("An operator looked at the connections of a person"), {
      userId,
      by: looking.session.userId
    })
    return yield* view(looking, userId)
  })
)

/** `POST /account/explain`: why somebody may or may not use something, for an operator. */
export const makeExplainPerson = Effect.map(ServerFactory, ({ policyOf }) =>
  answering(
    Effect.fnUntraced(function* (request) {
      const form = yield* ownForm(request)
      const looking = yield* operator(request)
      const userId = Option.getOrUndefined(decodeUserId(form.get("user")))
      const kind = form.get("kind")
      if (userId === undefined || !isKind(kind)) return yield* notFound
      const { words } = yield* Effect.catchTag(
        explainNow(policyOf, userId, { kind, name: form.get("name") ?? "" }),
        "NotExplained",
        ({ message }) => Effect.succeed({ words: message })
      )
      return yield* view(looking, userId, words)
    })
  )
)
