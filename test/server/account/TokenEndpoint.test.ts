import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { GrantId } from "../../../src/server/domain/Principal.ts"
import { jsonOf, redirectUri, type Tokens } from "../../../src/server/testing/Visitor.ts"
import { testApp } from "../../support/TestApp.ts"
import type { Settings } from "../../support/TestConfig.ts"

interface Answer extends Tokens {
  readonly expires_in: number
}

const grantOf = ({ access_token }: Pick<Tokens, "access_token">) => GrantId.make(access_token.split(":")[1] ?? "")

/** What a client reads in an answer that gives it tokens. */
const tokensOf = async (response: Response) => {
  assert.strictEqual(response.status, 200)
  return response.json<Answer>()
}

const assertInvalidGrant = async (response: Response) => {
  assert.strictEqual(response.status, 400)
  assert.strictEqual((await jsonOf(response))["error"], "invalid_grant")
}

/** The client is to try again. */
const assertUnavailable = async (response: Response) => {
  assert.strictEqual(response.status, 503)
  assert.match(response.headers.get("retry-after") ?? "", /^[1-9]\d*$/u)
  assert.strictEqual((await jsonOf(response))["error"], "temporarily_unavailable")
}

const times = <A>(count: number, make: (index: number) => A) => Array.from({ length: count }, (_, index) => make(index))

const server = (settings: Settings = {}) => {
  const app = testApp(settings)
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" })
  return {
    ...app,
    /** The status of a call with an access token. */
    call: async ({ access_token }: Pick<Tokens, "access_token">) => {
      const headers = {
        authorization: `Bearer ${access_token}`,
        host: "mcp.example.com",
        accept: "application/json, text/event-stream",
        "content-type": "application/json"
      }
      return (await app.handler(new Request("https://mcp.example.com/mcp", { method: "POST", headers, body }))).status
    },
    object: app.accounts.namespace.getByName("user_ada"),
    stored: () => app.accounts.dump("user_ada")
  }
}

/** A connection of Ada's. */
const connected = async (settings: Settings = {}, scope?: string) => {
  const app = server(settings)
  const first = await app.visitor.signIn("user_ada", scope)
  const { clientId } = first
  const refresh = (
    { refresh_token }: Pick<Tokens, "refresh_token">,
    more: Readonly<Record<string, string>> = {}
  ): Promise<Response> =>
    app.visitor.token({ grant_type: "refresh_token", client_id: clientId, refresh_token, ...more })
  return {
    ...app,
    first,
    clientId,
    grantId: grantOf(first),
    refresh,
    renew: async (tokens: Tokens) => tokensOf(await refresh(tokens)),
    revoke: () => app.visitor.token({ client_id: clientId, token: first.refresh_token })
  }
}

describe("a refresh", () => {
  it("that twenty processes send at once gives all of them the same tokens, and these work", async () => {
    const { accounts, call, first, refresh, renew } = await connected()
    const answers = await Promise.all(times(20, async () => tokensOf(await refresh(first))))
    const [{ access_token, refresh_token } = assert.fail("no answer")] = answers
    for (const answer of answers) assert.deepInclude(answer, { access_token, refresh_token })
    assert.strictEqual(await call({ access_token }), 200)
    const next = await renew(answers[0]!)
    assert.strictEqual(await call(next), 200)
    assert.deepEqual(accounts.ended, [])
  })

  it("whose answer was lost is answered the same for a minute, with the time that is left", async () => {
    const { first, refresh, renew, wait } = await connected()
    const answered = await renew(first)
    wait(59)
    const again = await refresh(first)
    assert.strictEqual(again.headers.get("cache-control"), "no-store")
    const { expires_in: left, ...repeated } = await tokensOf(again)
    assert.deepInclude(answered, repeated)
    assert.approximately(left, answered.expires_in - 59, 1)
  })

  it("that is repeated later gets new tokens, and those that it got before are nobody’s", async () => {
    const { accounts, call, first, grantId, refresh, renew, wait } = await connected()
    const lost = await renew(first)
    wait(61)
    const found = await renew(first)
    assert.notStrictEqual(found.refresh_token, lost.refresh_token)
    assert.strictEqual(await call(found), 200)
    const next = await renew(found)
    assert.deepEqual(accounts.ended, [])
    await assertInvalidGrant(await refresh(lost))
    assert.deepEqual(accounts.ended, [`user_ada ${grantId}`])
    assert.strictEqual(await call(next), 401)
  })

  it("is answered by what was asked for: narrower scopes do not get the broader answer, nor the other way", async () => {
    const { first, refresh } = await connected({}, "mcp:tools paint:use")
    const [broad, narrow] = [{}, { scope: "mcp:tools" }]
    const tokens: Array<Answer> = []
    for (const asked of [broad, narrow, narrow, broad, broad]) tokens.push(await tokensOf(await refresh(first, asked)))
    const scopes = tokens.map(({ scope }) => scope)
    const [all, some] = ["mcp:tools paint:use", "mcp:tools"]
    assert.deepEqual(scopes, [all, some, some, all, all])
    const [one, two, three, four, five] = tokens.map(({ access_token }) => access_token)
    assert.deepEqual([three, five], [two, four])
    assert.strictEqual(new Set([one, two, four]).size, 3)
  })

  it("for narrower scopes leaves the refresh token of the first answer good, and everybody goes on", async () => {
    const { accounts, call, first, refresh, renew } = await connected({}, "mcp:tools paint:use")
    const broad = await renew(first)
    const narrow = await tokensOf(await refresh(first, { scope: "mcp:tools" }))
    assert.strictEqual(narrow.refresh_token, broad.refresh_token)
    assert.deepEqual([await call(broad), await call(narrow)], [200, 200])
    assert.strictEqual(await call(await renew(broad)), 200)
    assert.strictEqual(await call(await renew(narrow)), 200)
    assert.deepEqual(accounts.ended, [])
  })

  it("that is repeated after the access token of its answer was revoked gets another one", async () => {
    const { call, clientId, first, renew, visitor } = await connected()
    const lost = await renew(first)
    await visitor.token({ client_id: clientId, token: lost.access_token })
    assert.strictEqual(await call(lost), 401)
    const found = await renew(first)
    assert.strictEqual(found.refresh_token, lost.refresh_token)
    assert.strictEqual(await call(found), 200)
    const again = await renew(first)
    assert.strictEqual(again.access_token, found.access_token)
  })

  it("that is repeated later ends the connection if the access token of its answer was used", async () => {
    const { accounts, call, first, grantId, refresh, renew, wait } = await connected()
    const second = await renew(first)
    assert.strictEqual(await call(second), 200)
    assert.strictEqual((await renew(first)).access_token, second.access_token)
    wait(61)
    await assertInvalidGrant(await refresh(first))
    assert.deepEqual(accounts.ended, [`user_ada ${grantId}`])
    assert.strictEqual(await call(second), 401)
  })

  it("leaves at most 100 used tokens and 50 access tokens of its grant, the newest", async () => {
    const { call, first, grantId, object, renew, stored } = await connected()
    const soon = Date.now() + 10_000
    for (let index = 0; index < 150; index++) {
      await object.keep(`refresh:${grantId}:old${index}`, "{}", soon)
      await object.keep(`refresh:${grantId}:old${index}:answer`, "x", soon)
      await object.keep(`token:user_ada:${grantId}:old${index}`, "{}", soon)
      await object.keep(`use:${grantId}:gone${index}`, "1", null)
    }
    const second = await renew(first)
    const keys = (await stored()).map(({ key }) => key)
    const count = (prefix: string) => keys.filter((key) => key.startsWith(prefix)).length
    assert.strictEqual(count(`token:user_ada:${grantId}:`), 50)
    assert.strictEqual(count(`refresh:${grantId}:`), 200)
    assert.strictEqual(count(`use:${grantId}:`), 0)
    assert.strictEqual(await call(second), 200)
    assert.strictEqual((await renew(first)).access_token, second.access_token)
  })

  it("ends its connection with a token that was used more than 100 refreshes ago, by a refresh or a revocation", async () => {
    for (const replay of ["refresh", "revoke"] as const) {
      const { accounts, call, first, grantId, object, refresh, renew, revoke } = await connected()
      const second = await renew(first)
      const later = Date.now() + 90 * 86_400_000
      for (let index = 0; index < 100; index++) await object.keep(`refresh:${grantId}:later${index}`, "{}", later)
      const third = await renew(second)
      assert.strictEqual(await call(third), 200)
      await (replay === "refresh" ? refresh(first) : revoke())
      assert.deepEqual(accounts.ended, [`user_ada ${grantId}`], replay)
      assert.strictEqual(await call(third), 401)
    }
  })

  it("ends its connection when it was refreshed more often than used tokens can be known", async () => {
    const { call, first, grantId, object, refresh, renew } = await connected()
    await object.keep(`spent:${grantId}`, "0".repeat(16 * 4_999), null)
    const second = await renew(first)
    assert.strictEqual(await call(second), 200)
    await object.keep(`spent:${grantId}`, "0".repeat(16 * 5_000), null)
    await assertInvalidGrant(await refresh(second))
    assert.strictEqual(await call(second), 401)
  })

  it("with what nobody was given does not wait for its turn", async () => {
    const { clerk, first, grantId, refresh, wait } = await connected()
    wait(61)
    let goOn = () => {}
    const gate = new Promise<void>((resolve) => (goOn = resolve))
    const asked = new Promise<void>((resolve) => {
      clerk.latency = Effect.promise(() => {
        resolve()
        return gate
      })
    })
    let isAnswered = false
    const refreshing = refresh(first).finally(() => (isAnswered = true))
    await asked
    const garbage = refresh({ refresh_token: `user_ada:${grantId}:garbage` })
    const late = new Promise<void>((resolve) => setTimeout(resolve, 2_000))
    const earlier = await Promise.race([garbage, late])
    assert.isFalse(isAnswered)
    goOn()
    await assertInvalidGrant(earlier ?? assert.fail("it waited"))
    await tokensOf(await refreshing)
  })

  it("is sent again where the object is being replaced, and a code is not", async () => {
    const { accounts, call, clientId, first, renew, visitor } = await connected()
    accounts.failing = "token"
    accounts.failures = 1
    assert.strictEqual(await call(await renew(first)), 200)
    const code = (await visitor.authorize(clientId, "user_ada")).searchParams.get("code") ?? ""
    accounts.failures = 1
    await assertUnavailable(await visitor.redeem(clientId, code))
  })

  it("with a token whose successor was used ends the connection, and whoever has tokens of it is out", async () => {
    const { accounts, call, first, grantId, refresh, renew, stored, visitor } = await connected()
    const other = await visitor.signIn("user_ada")
    const second = await renew(first)
    const third = await renew(second)
    assert.strictEqual(await call(third), 200)
    for (const answer of await Promise.all(times(5, () => refresh(first)))) await assertInvalidGrant(answer)
    assert.deepEqual(accounts.ended, [`user_ada ${grantId}`])
    for (const tokens of [first, second, third]) assert.strictEqual(await call(tokens), 401)
    await assertInvalidGrant(await refresh(third))
    assert.notInclude(JSON.stringify(await stored()), grantId)
    assert.strictEqual(await call(other), 200)
    assert.lengthOf(accounts.ended, 1)
  })

  it("with what nobody was given ends nothing, and leaves nothing", async () => {
    const { accounts, call, first, grantId, refresh, renew, stored } = await connected()
    const second = await renew(first)
    const before = await stored()
    for (const refresh_token of [
      `user_ada:${grantId}:garbage`,
      `${second.refresh_token}x`,
      second.access_token,
      "user_ada:nothing:garbage",
      `user_mina:${grantId}:garbage`,
      "user_nobody:a:b",
      "a:b:c",
      "garbage"
    ]) {
      await assertInvalidGrant(await refresh({ refresh_token }))
    }
    assert.deepEqual(accounts.ended, [])
    assert.deepEqual(await stored(), before)
    assert.isEmpty(await accounts.recordsOf("user_nobody"))
    assert.strictEqual(await call(await renew(second)), 200)
  })

  it("without the secret of its client is refused, among twenty at once, and the others are served", async () => {
    const { accounts, call, handler, visitor } = server()
    const post = (path: string, headers: Readonly<Record<string, string>>, body: BodyInit) =>
      handler(new Request(`https://mcp.example.com${path}`, { method: "POST", headers, body }))
    const registration = JSON.stringify({ redirect_uris: [redirectUri] })
    const client = await jsonOf(await post("/register", { "content-type": "application/json" }, registration))
    const [id, secret] = [String(client["client_id"]), String(client["client_secret"])]
    const token = (form: Readonly<Record<string, string>>, password = secret) =>
      post("/token", { authorization: `Basic ${btoa(`${id}:${password}`)}` }, new URLSearchParams(form))
    const code = (await visitor.authorize(id, "user_ada")).searchParams.get("code") ?? ""
    const code_verifier = "a-verifier-that-is-long-enough-for-rfc-7636-section-4.1"
    const exchange = { grant_type: "authorization_code", code, redirect_uri: redirectUri, code_verifier }
    const { refresh_token } = await tokensOf(await token(exchange))
    const answers = await Promise.all(
      times(20, (index) => token({ grant_type: "refresh_token", refresh_token }, index % 4 === 0 ? "wrong" : secret))
    )
    const statuses = answers.map(({ status }) => status)
    assert.deepEqual(
      statuses,
      times(20, (index) => (index % 4 === 0 ? 401 : 200))
    )
    const good = await Promise.all(answers.filter(({ ok }) => ok).map(tokensOf))
    assert.strictEqual(new Set(good.map((tokens) => tokens.refresh_token)).size, 1)
    assert.strictEqual(await call(good[0]!), 200)
    assert.deepEqual(accounts.ended, [])
  })

  it("takes place as a whole: one that cannot be stored changes nothing, and works when it is sent again", async () => {
    const { accounts, call, first, log, refresh, renew, stored } = await connected()
    const before = await stored()
    // It is sent again twice where the object fails.
    accounts.failedCommits = 3
    await assertUnavailable(await refresh(first))
    assert.strictEqual(accounts.failedCommits, 0)
    assert.deepEqual(await stored(), before)
    assert.notInclude(log.join("\n"), "internal detail")
    assert.strictEqual(await call(await renew(first)), 200)
  })

  it("brings no connection back that is ended meanwhile", async () => {
    for (const by of ["the object", "the client"]) {
      const { accounts, call, clerk, first, grantId, object, refresh, revoke, stored, wait } = await connected()
      wait(61)
      let goOn = () => {}
      const gate = new Promise<void>((resolve) => (goOn = resolve))
      const asked = new Promise<void>((resolve) => {
        clerk.latency = Effect.promise(() => {
          resolve()
          return gate
        })
      })
      const refreshing = refresh(first)
      await asked
      const ending = by === "the object" ? object.end(grantId) : revoke()
      if (by === "the object") await ending
      goOn()
      const [refreshed] = await Promise.all([refreshing, ending])
      // A revocation by the client waits for its turn: what was refreshed before it, ends with it.
      if (by === "the object") await assertInvalidGrant(refreshed)
      else assert.strictEqual(await call(await tokensOf(refreshed)), 401)
      assert.notInclude(JSON.stringify(await stored()), grantId, by)
      assert.deepEqual(accounts.ended, [`user_ada ${grantId}`])
      assert.strictEqual(await call(first), 401)
    }
  })

  it("leaves no token in clear, and its answer no longer than it is repeated", async () => {
    const { accounts, first, grantId, renew, stored, wait } = await connected()
    const second = await renew(first)
    const third = await renew(second)
    const dump = JSON.stringify(await stored())
    for (const { access_token, refresh_token } of [first, second, third]) {
      for (const token of [access_token, refresh_token]) {
        assert.notInclude(dump, token)
        assert.notInclude(dump, token.split(":")[2] ?? "none")
      }
    }
    const answers = async () =>
      (await accounts.recordsOf("user_ada")).filter(
        (key) => key.startsWith(`refresh:${grantId}:`) && key.endsWith(":answer")
      )
    assert.lengthOf(await answers(), 2)
    wait(61)
    assert.isEmpty(await answers())
  })
})

describe("a revocation", () => {
  it("with a refresh token that was used ends the connection, if its own client asks (RFC 7009, section 2.1)", async () => {
    const { accounts, call, clientId, first, grantId, renew, visitor } = await connected()
    const last = await renew(await renew(first))
    const other = await visitor.register()
    const revoke = (client_id: string) => visitor.token({ client_id, token: first.refresh_token })
    assert.strictEqual((await revoke(other)).status, 200)
    assert.strictEqual(await call(last), 200)
    assert.strictEqual((await revoke(clientId)).status, 200)
    assert.strictEqual(await call(last), 401)
    assert.deepEqual(accounts.ended, [`user_ada ${grantId}`])
  })
})

describe("a code", () => {
  const coded = async () => {
    const app = server()
    const clientId = await app.visitor.register()
    const code = (await app.visitor.authorize(clientId, "user_ada")).searchParams.get("code") ?? ""
    return { ...app, redeem: () => app.visitor.redeem(clientId, code) }
  }

  it("is used up only together with the tokens that it buys", async () => {
    const { accounts, call, redeem, stored } = await coded()
    const before = await stored()
    accounts.failedCommits = 1
    await assertUnavailable(await redeem())
    assert.deepEqual(await stored(), before)
    assert.strictEqual(await call(await tokensOf(await redeem())), 200)
  })

  it("that comes five times at once buys tokens once, and these end (RFC 6749, section 4.1.2)", async () => {
    const { accounts, call, redeem } = await coded()
    const answers = await Promise.all(times(5, redeem))
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 400, 400, 400, 400]
    )
    const tokens = await tokensOf(answers[0]!)
    for (const answer of answers.slice(1)) await assertInvalidGrant(answer)
    assert.strictEqual(await call(tokens), 401)
    assert.deepEqual(accounts.ended, [`user_ada ${grantOf(tokens)}`])
    assert.isEmpty(await accounts.grants())
  })
})

describe("the settings of tokens", () => {
  const day = 24 * 3_600
  const secondsLeft = async (stored: () => Promise<ReadonlyArray<{ key: string; expiresAt: number | null }>>) => {
    const { expiresAt } = (await stored()).find(({ key }) => key.startsWith("grant:")) ?? assert.fail("no grant")
    return ((expiresAt ?? Infinity) - Date.now()) / 1_000
  }

  for (const [settings, minutes, days] of [
    [{}, 60, 30],
    [{ ACCESS_TOKEN_MINUTES: "5", REFRESH_TOKEN_DAYS: "1" }, 5, 1]
  ] as const) {
    it(`are ${minutes} minutes for an access token and ${days} days for a refresh token with ${JSON.stringify(settings)}`, async () => {
      const { call, first, refresh, renew, stored, wait } = await connected(settings)
      assert.approximately(await secondsLeft(stored), days * day, 60)
      const second = await renew(first)
      assert.strictEqual(second.expires_in, minutes * 60)
      assert.approximately(await secondsLeft(stored), days * day, 60)
      wait(minutes * 60 - 5)
      assert.strictEqual(await call(second), 200)
      wait(10)
      assert.strictEqual(await call(second), 401)
      wait(days * day - minutes * 60 - 10)
      const last = await renew(second)
      wait(10)
      await assertInvalidGrant(await refresh(last))
    })
  }

  it("say for how long a refresh is answered the same", async () => {
    const long = await connected({ REFRESH_GRACE_SECONDS: "120" })
    const answered = await long.renew(long.first)
    long.wait(119)
    const { access_token, refresh_token } = answered
    assert.deepInclude(await long.renew(long.first), { access_token, refresh_token })
    long.wait(2)
    assert.notStrictEqual((await long.renew(long.first)).refresh_token, refresh_token)

    const none = await connected({ REFRESH_GRACE_SECONDS: "0" })
    const once = await none.renew(none.first)
    const twice = await none.renew(none.first)
    assert.notStrictEqual(twice.refresh_token, once.refresh_token)
    assert.strictEqual(await none.call(twice), 200)
    await assertInvalidGrant(await none.refresh(once))
  })
})
