import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"

import { Access } from "../access/Access.ts"
import * as Explanation from "../access/Explanation.ts"
import { organizationOf } from "../access/CurrentOrganization.ts"
import * as Policy from "../access/Policy.ts"
import * as UserSnapshot from "../access/UserSnapshot.ts"
import { AccountStubs } from "../account/AccountStub.ts"
import { AppConfig } from "../config/AppConfig.ts"
import { UserId } from "../domain/Principal.ts"
import * as Scope from "../domain/Scope.ts"
import { Kind, ServerFactory } from "../mcp/ServerFactory.ts"
import { Grants } from "../oauth/Grants.ts"
import { StateSigner } from "../oauth/StateSigner.ts"
import type { Decision } from "../observability/Decisions.ts"
import { webRequest } from "./WebRequest.ts"

/** Why an operator gets no explanation. */
class NotExplained extends Schema.TaggedError<NotExplained>()("NotExplained", {
  status: Schema.Literals([400, 401, 404, 503]),
  error: Schema.String,
  message: Schema.String
}) {}

const unauthorized = new NotExplained({ status: 401, error: "invalid_token", message: "Not an operator" })
const invalid = (message: string) => new NotExplained({ status: 400, error: "invalid_request", message })
const notFound = (message: string) => new NotExplained({ status: 404, error: "not_found", message })
const unavailable = (message: string) => new NotExplained({ status: 503, error: "temporarily_unavailable", message })

/** Passes whoever signed for this deployment with a key of its ring, a minute ago at most. */
const operator = Effect.fnUntraced(function* (request: Request) {
  const { PUBLIC_URL: publicUrl } = yield* AppConfig
  const signer = yield* StateSigner
  const [, token = ""] = /^Bearer ([\w.-]+)$/u.exec(request.headers.get("authorization") ?? "") ?? []
  const audience = yield* Effect.mapError(signer.verify("operator", token), () => unauthorized)
  if (audience !== publicUrl.origin) return yield* unauthorized
})

const Subject = Schema.Struct({ user: UserId })
const decodeSubject = Schema.decodeUnknownEffect(Subject)

/** What is known of a user, or in words that the account is closed. */
const factsOf = Effect.fnUntraced(function* (userId: UserId) {
  const access = yield* Access
  return yield* access
    .current(userId)
    .pipe(
      Effect.catchTag("AccessError", ({ reason }) =>
        reason._tag === "AccountClosed"
          ? Effect.fail(
              notFound(
                `${userId} may not use anything: the account ${reason.deleted ? "does not exist in Clerk" : "is banned in Clerk"}.`
              )
            )
          : Effect.fail(unavailable("Clerk does not say what this user may do. Try again in a moment."))
      )
    )
})

type PolicyOf = ServerFactory["Service"]["policyOf"]

/** What an operator asks about. */
interface Asked {
  readonly kind: Kind
  readonly name: string
}

/** Explains for each connection of the user whether it may use this; without one, on the user alone. */
const explainNow = Effect.fnUntraced(function* (
  policyOf: PolicyOf,
  userId: UserId,
  { kind, name }: Asked,
  grantId?: string
) {
  const grants = yield* Grants
  const policy = policyOf(kind, name)
  if (policy === undefined) return yield* notFound(`There is no ${kind} ${name}.`)
  const user = yield* factsOf(userId)
  const all = yield* Effect.mapError(grants.list(userId), () =>
    unavailable("The connections cannot be read right now.")
  )
  const chosen = all.filter(({ id }) => grantId === undefined || id === grantId)
  const about = { userId, name, policy }
  const connections = yield* Effect.forEach(chosen, ({ id, clientId, scopes, organizationId }) =>
    Effect.match(organizationOf(user, organizationId), {
      onFailure: ({ message }) => ({
        grantId: id,
        clientId,
        may: false,
        words: `${userId} may not use ${name} through client ${clientId}: ${message}`
      }),
      onSuccess: (organization) => ({
        grantId: id,
        clientId,
        ...Explanation.explain({
          ...about,
          clientId,
          ...(organization !== undefined && { organization: organization.name }),
          facts: UserSnapshot.policyInput(user, { scopes }, organization)
        })
      })
    })
  )
  if (connections.length > 0) {
    const words = connections.map((connection) => connection.words).join("\n")
    return { may: connections.some(({ may }) => may), words, connections }
  }
  const granted = UserSnapshot.policyInput(user, { scopes: [Scope.baseline, ...Policy.scopesOf(policy)] }, undefined)
  const { may, words } = Explanation.explain({ ...about, facts: granted })
  const none = grantId === undefined ? "The user has no connection." : "That connection was ended since."
  return { may: false, words: may ? `${words} ${none}` : words, connections }
})

const kindOf: Readonly<Record<string, Kind>> = {
  "tools/call": "tool",
  "resources/read": "resource",
  "prompts/get": "prompt"
}

/** Tells how a decision went, and how it would go now. */
const explainThen = Effect.fnUntraced(function* (policyOf: PolicyOf, userId: UserId, reference: string) {
  const accounts = yield* AccountStubs
  const found: ReadonlyArray<Decision> = yield* Effect.mapError(
    accounts.forUser(userId).decisions({ limit: 1, reference }),
    () => unavailable("The decisions of this user cannot be read right now.")
  )
  const [decision] = found
  if (decision === undefined) {
    return yield* notFound(`No decision on a message of ${userId} has the reference ${reference}.`)
  }
  const kind = kindOf[decision.method]
  const then = Explanation.told(decision)
  const now =
    kind === undefined
      ? undefined
      : yield* explainNow(policyOf, userId, { kind, name: decision.name }, decision.grantId).pipe(
          Effect.catchTag("NotExplained", ({ message }) => Effect.succeed({ words: message }))
        )
  return { words: now === undefined ? then : `${then}\nNow: ${now.words}`, decision, ...(now && { now }) }
})

const answering = Effect.fnUntraced(function* (policyOf: PolicyOf, request: Request) {
  yield* operator(request)
  const { searchParams } = new URL(request.url)
  const { user } = yield* Effect.mapError(decodeSubject(Object.fromEntries(searchParams)), () =>
    invalid("Name the user by Clerk's id, user_...")
  )
  const reference = searchParams.get("reference")
  const [asked, ...more] = Kind.literals.flatMap((kind) => {
    const name = searchParams.get(kind)
    return name === null ? [] : [{ kind, name }]
  })
  if (more.length > 0 || (asked === undefined) === (reference === null)) {
    return yield* invalid("Name one tool, resource or prompt, or a reference")
  }
  yield* Effect.annotateLogs(Effect.logInfo("An operator asked for an explanation"), {
    userId: user,
    ...(asked !== undefined && { kind: asked.kind })
  })
  return asked === undefined
    ? yield* explainThen(policyOf, user, reference ?? "")
    : { ...asked, userId: user, ...(yield* explainNow(policyOf, user, asked)) }
})

/**
 * `/operator/explain`: whether a user may use a tool, resource or prompt, or how a decision went, in words and as data.
 * For operators, who hold a key that the server signs with: whoever is none learns nothing.
 */
export const makeExplain = Effect.map(ServerFactory, ({ policyOf }) =>
  Effect.gen(function* () {
    return HttpServerResponse.jsonUnsafe(yield* answering(policyOf, yield* webRequest))
  }).pipe(
    Effect.catchTag("NotExplained", ({ status, error, message }) =>
      Effect.succeed(
        HttpServerResponse.jsonUnsafe(
          { error, words: message },
          { status, ...(status === 401 && { headers: { "www-authenticate": "Bearer" } }) }
        )
      )
    )
  )
)
