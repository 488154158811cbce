import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"

import { AppConfig } from "../config/AppConfig.ts"
import { UserId } from "../domain/Principal.ts"
import { Kind, ServerFactory } from "../mcp/ServerFactory.ts"
import { StateSigner } from "../oauth/StateSigner.ts"
import { explainNow, explainThen, NotExplained, notExplained, type PolicyOf } from "./Explaining.ts"
import { webRequest } from "./WebRequest.ts"

const unauthorized = new NotExplained({ status: 401, error: "invalid_token", message: "Not an operator" })
const { invalid } = notExplained

/** Passes whoever signed for this deployment with a key of its ring, a minute ago at most. */
export const operator = Effect.fnUntraced(function* (request: Request) {
  const { PUBLIC_URL: publicUrl } = yield* AppConfig
  const signer = yield* StateSigner
  const [, token = ""] = /^Bearer ([\w.-]+)$/u.exec(request.headers.get("authorization") ?? "") ?? []
  const audience = yield* Effect.mapError(signer.verify("operator", token), () => unauthorized)
  if (audience !== publicUrl.origin) return yield* unauthorized
})

const Subject = Schema.Struct({ user: UserId })
const decodeSubject = Schema.decodeUnknownEffect(Subject)

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
