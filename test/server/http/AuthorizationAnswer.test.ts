import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"

import { AccessUnknown, AccountClosed, OrganizationLeft } from "../../../src/server/access/Access.ts"
import {
  ClerkMisconfigured,
  ClerkUnavailable,
  ClerkUnexpected,
  ClerkSessionEnded,
  UserNotFound
} from "../../../src/server/clerk/ClerkError.ts"
import { CodeRejected } from "../../../src/server/clerk/ClerkOAuth.ts"
import { TokenRejected } from "../../../src/server/clerk/ClerkJwt.ts"
import { answerFailure } from "../../../src/server/http/AuthorizationAnswer.ts"
import {
  AuthorizationFailure,
  ClientNotAllowed,
  ClientUnreachable,
  ClientUnverifiable,
  FormRejected,
  RequestRejected,
  SignInDeclined,
  StorageUnavailable
} from "../../../src/server/oauth/AuthorizationFailure.ts"
import { NotAMember, OrganizationRequired } from "../../../src/server/oauth/Organizations.ts"
import { StateExpired, StateForged } from "../../../src/server/oauth/StateSigner.ts"

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

const cases: ReadonlyArray<readonly [reason: Reason, code: string, status: number]> = [
  [new RequestRejected({ code: "invalid_scope", description: "Unknown scope" }), "invalid_scope", 400],
  [new RequestRejected({ code: "invalid_target", description: "Unknown resource" }), "invalid_target", 400],
  [new FormRejected({ status: 413, description: "Too large" }), "invalid_request", 413],
  [new FormRejected({ status: 415, description: "No form" }), "invalid_request", 415],
  [new ClientNotAllowed({ description: "No" }), "unauthorized_client", 403],
  [new ClientUnreachable({ detail: "no answer" }), "temporarily_unavailable", 503],
  [new ClientUnverifiable({ detail: "404" }), "invalid_request", 400],
  [new StateForged(), "invalid_request", 400],
  [new StateExpired(), "invalid_request", 400],
  [new SignInDeclined({ error: "access_denied" }), "access_denied", 403],
  [new SignInDeclined({ error: "other" }), "server_error", 502],
  [new CodeRejected(), "server_error", 502],
  [new ClerkSessionEnded(), "access_denied", 403],
  [new UserNotFound(), "access_denied", 403],
  [new TokenRejected({ check: "aud" }), "server_error", 502],
  [new ClerkUnavailable({ operation: "token" }), "temporarily_unavailable", 503],
  [new ClerkMisconfigured({ operation: "token", status: 401, code: "invalid_client" }), "server_error", 500],
  [new ClerkUnexpected({ operation: "token", detail: "no id_token" }), "server_error", 502],
  [new AccountClosed({ deleted: false }), "access_denied", 403],
  [new AccessUnknown({ retryAfterSeconds: 5, passes: true }), "temporarily_unavailable", 503],
  [new AccessUnknown({ retryAfterSeconds: 5, passes: false }), "server_error", 500],
  [new OrganizationLeft(), "access_denied", 403],
  [new OrganizationRequired(), "access_denied", 403],
  [new NotAMember({ slug: "acme" }), "access_denied", 403],
  [new StorageUnavailable({ operation: "get", cause: new Error("secret detail") }), "temporarily_unavailable", 503]
]

const referencePattern = /[2-9A-HJ-NP-Z]{8}/u

describe("answerFailure", () => {
  for (const [reason, code, status] of cases) {
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
      assert.sameMembers([...new Set(cases.map(([reason]) => reason._tag))], [...reasons])
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
