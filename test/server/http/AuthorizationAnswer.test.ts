import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"

import { TokenRejected } from "../../../src/server/clerk/ClerkJwt.ts"
import { answerFailure } from "../../../src/server/http/AuthorizationAnswer.ts"
import { AuthorizationFailure, RequestRejected } from "../../../src/server/oauth/AuthorizationFailure.ts"
import { StateExpired } from "../../../src/server/oauth/StateSigner.ts"
import { authorizationReasons } from "../../support/AuthorizationReasons.ts"

type Reason = AuthorizationFailure["reason"]

const redirect = {
  redirectUri: "https://client.example/callback?kept=yes",
  state: 'state & "more"',
  issuer: "https://mcp.example.com"
}

const answer = (failure: ConstructorParameters<typeof AuthorizationFailure>[0]) =>
  Effect.map(answerFailure(new AuthorizationFailure(failure)), (response) => HttpServerResponse.toWeb(response))

const pageOf = Effect.fnUntraced(function* (reason: Reason) {
  const response = yield* answer({ reason })
  return { response, text: yield* Effect.promise(() => response.text()) }
})

const referencePattern = /[2-9A-HJ-NP-Z]{8}/u

describe("answerFailure", () => {
  for (const [reason, code, status] of authorizationReasons) {
    const what = `${reason._tag} as ${code}`

    it.effect(`sends the client ${what} where the redirect is trusted`, () =>
      Effect.gen(function* () {
        const response = yield* answer({ reason, redirect })
        assert.strictEqual(response.status, 302)
        const location = new URL(response.headers.get("location") ?? "")
        assert.strictEqual(location.origin + location.pathname, "https://client.example/callback")
        const { error_description: description = "", ...others } = Object.fromEntries(location.searchParams)
        assert.deepStrictEqual(others, { kept: "yes", error: code, state: redirect.state, iss: redirect.issuer })
        // RFC 6749, section 4.1.2.1: %x20-21 / %x23-5B / %x5D-7E.
        assert.match(description, /^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/u)
        assert.match(description, new RegExp(`Reference ${referencePattern.source}$`, "u"))
      })
    )

    it.effect(`shows a page for ${what} where it is not, and redirects nowhere`, () =>
      Effect.gen(function* () {
        const { response, text } = yield* pageOf(reason)
        assert.strictEqual(response.status, status)
        assert.isNull(response.headers.get("location"))
        assert.match(text, new RegExp(`Reference: <code>${referencePattern.source}</code>`, "u"))
        assert.notMatch(text, /undefined|\[object|secret detail|http-equiv/u)
      })
    )
  }

  it.effect("covers every reason there is", () =>
    Effect.sync(() => {
      const reasons = AuthorizationFailure.fields.reason.members.map((member) => member.fields._tag.schema.literal)
      assert.sameMembers([...new Set(authorizationReasons.map(([reason]) => reason._tag))], [...reasons])
    })
  )

  it.effect("leaves `state` and `iss` out where there are none", () =>
    Effect.gen(function* () {
      const response = yield* answer({ reason: new StateExpired(), redirect: { redirectUri: "cursor://callback" } })
      const location = new URL(response.headers.get("location") ?? "")
      assert.sameMembers([...location.searchParams.keys()], ["error", "error_description"])
    })
  )

  it.effect.prop("keeps to the characters of error_description, whatever the description", [Schema.String], ([text]) =>
    Effect.gen(function* () {
      const reason = new RequestRejected({ code: "invalid_request", description: `"quoted" \\ ${text}` })
      const response = yield* answer({ reason, redirect })
      const location = new URL(response.headers.get("location") ?? "")
      assert.match(location.searchParams.get("error_description") ?? "", /^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/u)
    })
  )

  it.effect("tells person and client the reference under which the log holds the reason", () => {
    const lines: Array<string> = []
    const log = Logger.layer([Logger.map(Logger.formatJson, (line) => void lines.push(line))])
    return Effect.gen(function* () {
      const { text } = yield* pageOf(new TokenRejected({ check: "aud" }))
      const [reference] = /[2-9A-HJ-NP-Z]{8}(?=<\/code>)/u.exec(text) ?? []
      const [line = "{}"] = lines
      assert.strictEqual(lines.length, 1)
      assert.deepInclude((JSON.parse(line) as { readonly annotations: object }).annotations, {
        reference,
        reason: "TokenRejected",
        check: "aud"
      })
    }).pipe(Effect.provide(Layer.fresh(log)))
  })
})
