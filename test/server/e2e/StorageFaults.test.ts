import { assert, layer } from "@effect/vitest"

import { AppPerson } from "../../support/AppPerson.ts"
import { OAuthClient, redirectUri } from "../../support/OAuthClient.ts"
import { opened } from "../../support/OpenSession.ts"
import { during, order, shortestPause } from "../../support/observed/Observed.ts"
import type { Moment } from "../../support/observed/Observations.ts"
import { leftFor } from "../../support/Person.ts"
import { onServer, RunningServer, type Server, type UserGrant } from "../../support/RunningServer.ts"
import { connectV1, connectV2, Login } from "../../support/SdkClients.ts"
import { legacy, modern } from "../../support/Wire.ts"

/** Nothing listens there: what the app would do in these tests, the browser does. */
const app = "http://127.0.0.1:3999"

const moments: ReadonlyArray<Moment> = ["before", "at the commit", "after"]

const sum = { name: "sum", arguments: { a: 1, b: 2 } }

/** The status of a call with an access token, in either lane. */
const statuses = async ({ mcp }: Server, accessToken: string) => [
  (await modern(mcp, accessToken, "tools/call", sum)).status,
  (await legacy(mcp, accessToken, "tools/call", sum)).status
]

/** The client is told that it may try again, and when. */
const assertPutOff = ({ status, headers }: Pick<Response, "status" | "headers">, when?: string) => {
  assert.strictEqual(status, 503, when)
  assert.match(headers.get("retry-after") ?? "", /^[1-9]\d*$/u)
}

/** A client with a code that is not redeemed yet, and the request that redeems it. */
const coded = async (server: Server, email: string) => {
  const client = await OAuthClient.register(server.mcp)
  const person = server.person(email)
  const attempt = await client.begin()
  const back = await person.authorize(attempt.address)
  const redeem = () =>
    client.token({
      grant_type: "authorization_code",
      code: back.searchParams.get("code") ?? "",
      redirect_uri: attempt.redirectUri,
      code_verifier: attempt.verifier,
      resource: client.resource
    })
  return { client, person, back, redeem }
}

const refreshing = ({ client }: UserGrant, refreshToken: string) =>
  client.token({ grant_type: "refresh_token", refresh_token: refreshToken, resource: client.resource })

interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
}

const tokensOf = async (response: Response): Promise<Tokens> => {
  assert.strictEqual(response.status, 200)
  return response.json<Tokens>()
}

/** Nobody was answered 500 since it was last forgotten, and whoever was put off was told for how long. */
const nobodyWasFailed = async (server: Server) => {
  for (const { method, path, status, retryAfter } of (await order(server)).answers) {
    if (status >= 500)
      assert.deepEqual({ status, path, told: retryAfter !== null }, { status: 503, path, told: true }, method)
  }
}

/** A test on storage that does not fail yet. */
const onObserved = (test: (server: Server) => Promise<void>) =>
  onServer(async (server) => {
    await order(server, { stale: false, failedWrites: 0, replace: null, forget: true })
    await test(server)
  })

layer(RunningServer.layerObserved())("storage that fails, with SIGN_IN=clerk", (it) => {
  it.effect(
    "takes no two writes of a key within a second over a whole sign-in, with consent that is given and remembered",
    onObserved(async (server) => {
      const client = await OAuthClient.register(server.mcp)
      const person = server.person("artist@example.com")
      const signIn = () => server.signIn(person.email, { client, person, remember: true })
      const asked = await during(server, signIn, 1_500)
      const again = async () => {
        const attempt = await client.begin()
        // Nobody is asked for consent, nor to sign in: Clerk remembers the browser.
        await client.redeem(attempt, leftFor(await person.browser.open(attempt.address)))
      }
      const remembered = await during(server, again, 1_500)
      const pauses = [shortestPause(asked), shortestPause(remembered)]
      console.info(`shortest pause between two writes of a key of KV, in ms: ${pauses.join(", ")}`)
      for (const pause of pauses) assert.isAtLeast(pause, 1_000)
      for (const { kv } of [asked, remembered]) assert.isAbove(kv.filter(({ method }) => method === "delete").length, 0)
    })
  )

  for (const [sdk, connect] of [
    ["v1", connectV1],
    ["v2", connectV2({ pin: "2026-07-28" })]
  ] as const) {
    it.effect(
      `lets a client of SDK ${sdk} work right after its sign-in where reads are up to a minute old`,
      onObserved(async (server) => {
        await order(server, { stale: true, forget: true })
        const person = server.person("admin@example.com")
        for (const _ of ["first", "once more"]) {
          const client = await connect(server.mcp, new Login(person))
          const { content } = await client.call("whoAmI", {})
          assert.include(JSON.stringify(content), "admin@example.com")
          await client.close()
        }
        const { client, accessToken, refreshToken } = await server.signIn("admin@example.com", {
          person,
          remember: true
        })
        assert.deepEqual(await statuses(server, accessToken), [200, 200])
        // What the browser remembers now is no minute old either.
        const remembered = await client.begin()
        await client.redeem(remembered, leftFor(await person.browser.open(remembered.address)))
        const { access_token: next } = await client.refresh(refreshToken)
        assert.deepEqual(await statuses(server, next), [200, 200])
        await client.revoke(refreshToken)
        assert.deepEqual(await statuses(server, next), [401, 401])
        await nobodyWasFailed(server)
      })
    )
  }

  it.effect(
    "leaves twenty working access tokens and one living family after twenty refreshes at once",
    onObserved(async (server) => {
      const grant = await server.signIn("member@example.com")
      const answers = await Promise.all(Array.from({ length: 20 }, () => refreshing(grant, grant.refreshToken)))
      const all = await Promise.all(answers.map(tokensOf))
      for (const { access_token: token } of all) assert.deepEqual(await statuses(server, token), [200, 200])
      const families = new Set(all.map(({ refresh_token: token }) => token))
      assert.strictEqual(families.size, 1)
      const records = await (await server.object(server.clerk.users.member.id)).readRecords()
      assert.lengthOf(
        records.filter(({ key }) => key.startsWith(`grant:`) && key.endsWith(grant.accessToken.split(":")[1] ?? "")),
        1
      )
      const next = await tokensOf(await refreshing(grant, [...families][0] ?? ""))
      assert.deepEqual(await statuses(server, next.access_token), [200, 200])
    })
  )

  it.effect(
    "ends the family of a refresh token that a thief replays: the owner gets 401, and signs in again",
    onObserved(async (server) => {
      const login = new Login(server.person("premium@example.com"))
      const owner = await connectV1(server.mcp, login)
      const stolen = login.tokens()?.refresh_token ?? ""
      const { client_id = "", client_secret = "" } = login.clientInformation() ?? {}
      const refresh = (refresh_token: string) =>
        fetch(`${server.url}/token`, {
          method: "POST",
          body: new URLSearchParams({
            grant_type: "refresh_token",
            client_id,
            client_secret,
            refresh_token,
            resource: server.mcp
          })
        })
      const second = await tokensOf(await refresh(stolen))
      const third = await tokensOf(await refresh(second.refresh_token))
      login.saveTokens({ ...third, token_type: "bearer" })
      assert.deepEqual(await statuses(server, third.access_token), [200, 200])

      const replayed = await refresh(stolen)
      assert.strictEqual(replayed.status, 400)
      assert.strictEqual((await replayed.json<{ readonly error: string }>()).error, "invalid_grant")
      assert.deepEqual(await statuses(server, third.access_token), [401, 401])
      assert.strictEqual((await refresh(third.refresh_token)).status, 400)

      await owner.call("whoAmI", {}).then(
        () => assert.fail("the owner was let in"),
        () => {}
      )
      await owner.close()
      login.forgetTokens()
      const back = await connectV1(server.mcp, login)
      assert.include(JSON.stringify((await back.call("whoAmI", {})).content), "premium@example.com")
      await back.close()
    })
  )

  it.effect(
    "costs nobody a code without a clear error, wherever the object is replaced in the exchange of it",
    onObserved(async (server) => {
      for (const moment of moments) {
        const { client, person, redeem } = await coded(server, "member@example.com")
        await order(server, { replace: { step: "token", moment }, forget: true })
        const first = await redeem()
        assertPutOff(first, moment)
        assert.strictEqual((await first.json<{ readonly error: string }>()).error, "temporarily_unavailable")
        const again = await redeem()
        // Either nothing was used up, or the code was spent on an answer that nobody got.
        if (again.status === 200)
          assert.deepEqual(await statuses(server, (await tokensOf(again)).access_token), [200, 200])
        else {
          assert.notStrictEqual(moment, "before")
          assert.strictEqual(again.status, 400)
          assert.strictEqual((await again.json<{ readonly error: string }>()).error, "invalid_grant")
        }
        const { accessToken } = await server.signIn(person.email, { client, person })
        assert.deepEqual(await statuses(server, accessToken), [200, 200])
        await nobodyWasFailed(server)
      }
    })
  )

  it.effect(
    "repeats a refresh whose answer was lost, wherever the object is replaced",
    onObserved(async (server) => {
      for (const moment of moments) {
        const grant = await server.signIn("member@example.com")
        await order(server, { replace: { step: "token", moment }, forget: true })
        const first = await tokensOf(await refreshing(grant, grant.refreshToken))
        const second = await tokensOf(await refreshing(grant, grant.refreshToken))
        assert.strictEqual(second.access_token, first.access_token, moment)
        assert.deepEqual(await statuses(server, second.access_token), [200, 200], moment)
        const third = await tokensOf(await refreshing(grant, second.refresh_token))
        assert.deepEqual(await statuses(server, third.access_token), [200, 200], moment)
        await nobodyWasFailed(server)
      }
    })
  )

  it.effect(
    "makes the grant all the same where the object is replaced while it keeps it",
    onObserved(async (server) => {
      for (const moment of moments) {
        await order(server, { replace: { step: "keep", moment }, forget: true })
        const { back, redeem } = await coded(server, "member@example.com")
        assert.isNull(back.searchParams.get("error"), moment)
        assert.deepEqual(await statuses(server, (await tokensOf(await redeem())).access_token), [200, 200])
        await nobodyWasFailed(server)
      }
    })
  )

  it.effect(
    "serves a call all the same where the object is replaced while it checks the token",
    onObserved(async (server) => {
      for (const moment of moments) {
        // The first use of a grant is noted.
        const { accessToken } = await server.signIn("member@example.com")
        await order(server, { replace: { step: "admit", moment }, forget: true })
        const { result } = await modern(server.mcp, accessToken, "tools/call", sum)
        assert.deepEqual(result?.["structuredContent"], { sum: 3 }, moment)
        await nobodyWasFailed(server)
      }
    })
  )

  it.effect(
    "puts a call of a session off where the object is replaced, and the session goes on",
    onObserved(async (server) => {
      for (const moment of ["before", "after"] as const) {
        const { accessToken } = await server.signIn("member@example.com")
        const session = await opened(server, accessToken)
        await order(server, { replace: { step: "post", moment }, forget: true })
        assertPutOff(await session.send("tools/call", sum), moment)
        assert.deepEqual((await session.send("tools/call", sum)).result?.["structuredContent"], { sum: 3 }, moment)
        await nobodyWasFailed(server)
      }
    })
  )

  it.effect(
    "answers nobody 500 while KV takes no writes, and works again once it does",
    onObserved(async (server) => {
      const known = await server.signIn("member@example.com")
      await order(server, { failedWrites: 1_000, forget: true })
      assertPutOff(
        await fetch(`${server.url}/register`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ client_name: "x", redirect_uris: [redirectUri] })
        })
      )
      const told = leftFor(await known.person.browser.open((await known.client.begin()).address)).searchParams
      assert.strictEqual(told.get("error"), "temporarily_unavailable")
      // Who is connected notices nothing.
      assert.deepEqual(await statuses(server, known.accessToken), [200, 200])
      const { access_token: token } = await tokensOf(await refreshing(known, known.refreshToken))
      assert.deepEqual(await statuses(server, token), [200, 200])
      await nobodyWasFailed(server)
      await order(server, { failedWrites: 0 })
      await server.signIn("member@example.com", { client: known.client, person: known.person })
    })
  )
})

layer(RunningServer.layerObserved(app))("storage that fails, with SIGN_IN=app", (it) => {
  it.effect(
    "takes no two writes of a key within a second over a whole sign-in, with consent that is given and remembered",
    onObserved(async (server) => {
      const client = await OAuthClient.register(server.mcp)
      const person = await AppPerson.in(server, "member@example.com")
      const signIn = async () => {
        const attempt = await client.begin()
        await client.redeem(attempt, await person.authorize(attempt.address, { remember: true }))
      }
      const again = async () => {
        const attempt = await client.begin()
        const sent = await person.browser.send(attempt.address)
        const state = new URL(sent.headers.get("location") ?? "").searchParams.get("state") ?? ""
        const posted = await person.post({ state, session_token: await person.token() })
        await client.redeem(attempt, (await person.browser.open(posted.headers.get("location") ?? "")).url)
      }
      const pauses = [
        shortestPause(await during(server, signIn, 1_500)),
        shortestPause(await during(server, again, 1_500))
      ]
      console.info(`shortest pause between two writes of a key of KV, in ms: ${pauses.join(", ")}`)
      for (const pause of pauses) assert.isAtLeast(pause, 1_000)
    })
  )

  it.effect(
    "lets a client work right after its sign-in where reads are up to a minute old",
    onObserved(async (server) => {
      await order(server, { stale: true, forget: true })
      const client = await OAuthClient.register(server.mcp)
      const person = await AppPerson.in(server, "member@example.com")
      for (const _ of ["first", "once more"]) {
        const attempt = await client.begin()
        const { access_token: token } = await client.redeem(attempt, await person.authorize(attempt.address))
        assert.deepEqual(await statuses(server, token), [200, 200])
      }
      await nobodyWasFailed(server)
    })
  )
})
