import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { AccountStubs } from "../account/AccountStub.ts"
import { ClerkApi } from "../clerk/ClerkApi.ts"
import type { ClerkError } from "../clerk/ClerkError.ts"
import type { UserId } from "../domain/Principal.ts"
import { Kind, ServerFactory } from "../mcp/ServerFactory.ts"
import * as Incident from "../observability/Incident.ts"
import type { OperatorAction } from "../observability/OperatorActions.ts"
import { answering, decodeUserId, instead, ownForm, tryLater, unreached, view, visitor } from "./AccountVisit.ts"
import { explainNow } from "./Explaining.ts"
import { notFound } from "./Landing.ts"
import { errorPage, redirect } from "./Page.ts"

const isKind = Schema.is(Kind)

/**
 * Notes what an operator does about somebody: a line in the log, and a row that the person sees. Where it cannot be kept,
 * the operator is told to try again.
 */
export const note = Effect.fnUntraced(function* (
  by: UserId,
  userId: UserId,
  ...all: ReadonlyArray<OperatorAction["did"]>
) {
  const accounts = yield* AccountStubs
  const time = yield* Clock.currentTimeMillis
  const actions = yield* Effect.forEach(all, (did) =>
    Effect.map(Incident.reference, (reference): OperatorAction => ({ time, userId, by, did, reference }))
  )
  yield* Effect.forEach(actions, (action) => Effect.annotateLogs(Effect.logInfo("Operator action"), action))
  if (actions.length > 0) yield* unreached(accounts.forUser(userId).record(actions))
})

/** Passes an operator. For anybody else there is nothing here. */
const operator = Effect.fnUntraced(function* (request: Request) {
  const looking = yield* visitor(request)
  return looking.isOperator ? looking : yield* instead(notFound)
})

const nobody = errorPage(
  404,
  "Nobody was found",
  "No account in Clerk has this id or e-mail address. Go back and check it."
)

const untold = (failure: ClerkError) =>
  failure.reason._tag === "UserNotFound"
    ? instead(nobody)
    : Effect.andThen(Incident.note("Clerk did not say who a person is", failure.reason), instead(tryLater))

/** Passes the id of somebody whom Clerk knows. One that nobody has shall leave no object behind. */
const existing = Effect.fnUntraced(function* (userId: UserId) {
  yield* Effect.catchTag((yield* ClerkApi).user(userId), "ClerkError", untold)
})

/** `POST /account/people`: finds somebody by id or e-mail address, which stays out of addresses and logs. */
export const find = answering(
  Effect.fnUntraced(function* (request) {
    const form = yield* ownForm(request)
    yield* operator(request)
    const who = (form.get("who") ?? "").trim()
    const known = Option.getOrUndefined(decodeUserId(who))
    const found = who.includes("@")
      ? Effect.catchTag((yield* ClerkApi).userWithEmail(who), "ClerkError", untold)
      : Effect.undefined
    const userId = known ?? (yield* found)
    return userId === undefined ? yield* nobody : redirect(`/account/people/${userId}`, new Headers())
  })
)

/** `GET /account/people/{id}`: the connections of somebody, for an operator. */
export const showPerson = answering(
  Effect.fnUntraced(function* (request) {
    const looking = yield* operator(request)
    const [id] = new URL(request.url).pathname.split("/").slice(-1)
    const userId = Option.getOrUndefined(decodeUserId(id))
    if (userId === undefined) return yield* notFound
    yield* existing(userId)
    if (userId !== looking.session.userId) yield* note(looking.session.userId, userId, { _tag: "Looked" })
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
      const [kind, name] = [form.get("kind"), form.get("name") ?? ""]
      if (userId === undefined || !isKind(kind)) return yield* notFound
      yield* existing(userId)
      // What the catalogue does not know could be any text.
      if (policyOf(kind, name) !== undefined) yield* note(looking.session.userId, userId, { _tag: "Asked", kind, name })
      const { words } = yield* Effect.catchTag(
        explainNow(policyOf, userId, { kind, name }),
        "NotExplained",
        ({ message }) => Effect.succeed({ words: message })
      )
      return yield* view(looking, userId, words)
    })
  )
)
