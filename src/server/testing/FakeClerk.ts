import * as Effect from "effect/Effect"
import * as Clock from "effect/Clock"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

import { ClerkApi } from "../clerk/ClerkApi.ts"
import { ClerkJwt, type Demands, TokenRejected } from "../clerk/ClerkJwt.ts"
import { ClerkError, ClerkSessionEnded, UserNotFound } from "../clerk/ClerkError.ts"
import { ClerkOAuth, ClerkOAuthError, CodeRejected } from "../clerk/ClerkOAuth.ts"
import { ClerkSessionId, UserId } from "../domain/Principal.ts"
import { clerkMemberships, clerkUser, idOf, type TestUser } from "./TestUser.ts"

/** A token that only `FakeClerk` believes. */
export const unsigned = (payload: object, header: object = { cat: "cl_B7d4PD111AAA" }): string =>
  [header, payload, "unsigned"].map((part) => Base64Url.encode(JSON.stringify(part))).join(".")

/**
 * Clerk in memory, for tests that are not about Clerk: `layer` stands in for all of its services. Whoever signs in
 * is the first person, or the one whose id the test puts into the code.
 */
export class FakeClerk {
  /** Everybody that Clerk knows. Change it, and the next question sees it. */
  readonly users = new Map<string, TestUser>()
  /** The living sessions, by id, and the ids of their users. */
  readonly sessions = new Map<string, string>()
  /** The organization that is active in a session, by the session's id. */
  readonly activeOrganizations = new Map<string, string>()
  /** Whether Clerk tells who belongs to which organization, or refuses to. */
  tellsMemberships = true
  /** Where the OAuth application of `testSettings` may send people who signed in. */
  redirectUris: ReadonlyArray<string> = ["https://mcp.example.com/callback"]
  /** How many session tokens were made. They live for 60 s and are not signed. */
  minted = 0
  /** How many times a user was asked for. */
  calls = 0
  /** What to answer instead, as long as it is set. */
  outage: ClerkError["reason"] | undefined
  /** The same, of sessions only. */
  sessionOutage: ClerkError["reason"] | undefined
  /** What every answer waits for. */
  latency: Effect.Effect<unknown> = Effect.void

  constructor(...users: ReadonlyArray<TestUser>) {
    for (const user of users) this.users.set(idOf(user), user)
  }

  get layer(): Layer.Layer<ClerkApi | ClerkJwt | ClerkOAuth> {
    return Layer.mergeAll(this.#api, this.#jwt, this.#oauth)
  }

  readonly #find = Effect.fnUntraced({ self: this }, function* (id: string) {
    yield* this.latency
    if (this.outage !== undefined) return yield* new ClerkError({ reason: this.outage })
    const user = this.users.get(id)
    return user ?? (yield* new ClerkError({ reason: new UserNotFound() }))
  })

  /** For questions that are about nobody. */
  readonly #answers: Effect.Effect<void, ClerkError> = Effect.suspend(() =>
    Effect.andThen(
      this.latency,
      this.outage === undefined ? Effect.void : Effect.fail(new ClerkError({ reason: this.outage }))
    )
  )

  readonly #session = Effect.fnUntraced({ self: this }, function* (id: string) {
    yield* this.latency
    const outage = this.outage ?? this.sessionOutage
    if (outage !== undefined) return yield* new ClerkError({ reason: outage })
    const userId = this.sessions.get(id)
    return userId === undefined ? yield* new ClerkError({ reason: new ClerkSessionEnded() }) : UserId.make(userId)
  })

  readonly #mint = Effect.fnUntraced({ self: this }, function* (id: string) {
    const sub = yield* this.#session(id)
    const iat = Math.floor((yield* Clock.currentTimeMillis) / 1_000)
    this.minted += 1
    const active = this.activeOrganizations.get(id)
    const claims = { sub, sid: id, iat, exp: iat + 60, jti: String(this.minted) }
    return Redacted.make(unsigned({ ...claims, ...(active !== undefined && { o: { id: active } }) }))
  })

  /** Believes every token that `unsigned` wrote, if the claims that are asked for are there. */
  get #jwt() {
    const decode = Schema.decodeSync(Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown)))
    const read = (part: string) => decode(Result.getOrThrow(Base64Url.decodeString(part)))
    return Layer.succeed(ClerkJwt, {
      verify: Effect.fnUntraced(function* (token: string, { claims }: Demands) {
        const [header = "", payload = ""] = token.split(".")
        const said = yield* Effect.try({
          try: () => ({ header: { alg: "RS256", ...read(header) }, payload: read(payload) }),
          catch: () => new TokenRejected({ check: "format" })
        })
        const missing = claims.find((claim) => !(claim in said.payload))
        return missing === undefined ? said : yield* new TokenRejected({ check: missing })
      })
    })
  }

  get #api() {
    return Layer.succeed(
      ClerkApi,
      ClerkApi.of({
        user: (id) =>
          Effect.suspend(() => {
            this.calls += 1
            return Effect.map(this.#find(id), clerkUser)
          }),
        userWithEmail: (email) =>
          Effect.sync(() => {
            const found = [...this.users.values()].find(
              (user) => clerkUser(user).primaryEmailAddress?.emailAddress === email
            )
            return found && idOf(found)
          }),
        lastSession: (userId) =>
          Effect.sync(() => {
            const last = [...this.sessions].findLast(([, user]) => user === userId)
            return last && ClerkSessionId.make(last[0])
          }),
        sessionUser: this.#session,
        sessionToken: this.#mint,
        memberships: (id) =>
          Effect.map(this.#find(id), (user) => (this.tellsMemberships ? clerkMemberships(user) : undefined)),
        organizations: Effect.map(this.#answers, () => this.tellsMemberships),
        oauthApplication: (clientId) =>
          Effect.map(this.#answers, () => ({ clientId, redirectUris: this.redirectUris, scopes: "openid" })),
        keyIds: Effect.as(this.#answers, ["ins_key"])
      })
    )
  }

  get #oauth() {
    return Layer.succeed(
      ClerkOAuth,
      ClerkOAuth.of({
        challenge: Effect.succeed({ verifier: "the-verifier", nonce: "the-nonce" }),
        authorizationUrl: (state, _, login = false) =>
          Effect.sync(() => {
            const url = new URL("https://clerk.example.com/oauth/authorize")
            url.searchParams.set("state", state)
            if (login) url.searchParams.set("prompt", "login")
            return url
          }),
        exchange: (code, { verifier, nonce }) =>
          this.users.has(code) && verifier === "the-verifier" && nonce === "the-nonce"
            ? Effect.succeed(UserId.make(code))
            : Effect.fail(new ClerkOAuthError({ reason: new CodeRejected() }))
      })
    )
  }
}
