import { assert, describe, it } from "@effect/vitest"

import { goToApp, throughApp } from "../../support/AtApp.ts"
import { testApp } from "../../support/TestApp.ts"
import { authorizationRequest, formOf, locationOf, redirectUri } from "../../../src/server/testing/Visitor.ts"

type Parameters = ReadonlyArray<readonly [name: string, value: string]>

/** What the server says to an authorization request with more parameters than it needs. */
const ask = async (more: Parameters, settings = {}) => {
  const { visitor } = testApp(settings)
  const url = new URL("https://mcp.example.com/authorize")
  for (const [name, value] of Object.entries(await authorizationRequest(await visitor.register()))) {
    url.searchParams.set(name, value)
  }
  for (const [name, value] of more) url.searchParams.append(name, value)
  return visitor.get(url)
}

/** What the client is told, by its own redirect. */
const told = (response: Response) => {
  const location = locationOf(response)
  const { error, state, iss, code } = Object.fromEntries(location.searchParams)
  assert.deepStrictEqual(
    [location.origin + location.pathname, state, iss, code],
    [redirectUri, "the-state-of-the-client", "https://mcp.example.com", undefined]
  )
  return error
}

const asksForConsent = async (response: Response) => {
  assert.strictEqual(response.status, 200)
  assert.include(await response.text(), 'name="handle"')
}

describe("an authorization request", () => {
  for (const name of ["response_type", "scope", "code_challenge", "code_challenge_method", "prompt", "of_nobody"]) {
    it(`is refused with ${name} twice, equal or not, and the client is told`, async () => {
      const value = (await authorizationRequest(""))[name as "scope"] ?? "x"
      for (const second of [value, "y", ""]) {
        const more: Parameters = [[name, second]]
        assert.strictEqual(told(await ask(value === "x" ? [[name, value], ...more] : more)), "invalid_request")
      }
    })
  }

  for (const name of ["client_id", "redirect_uri", "state"]) {
    it(`is refused with ${name} twice on a page, as it is open whom to tell`, async () => {
      for (const second of ["https://evil.example/callback", redirectUri, ""]) {
        const response = await ask([[name, second]])
        assert.strictEqual(response.status, 400)
        assert.isNull(response.headers.get("location"))
        assert.include(await response.text(), `The parameter ${name} was sent twice`)
      }
    })
  }

  for (const [name, value, error] of [
    ["response_mode", "fragment", "invalid_request"],
    ["response_mode", "form_post", "invalid_request"],
    ["response_mode", "query.jwt", "invalid_request"],
    ["request", "eyJhbGciOiJub25lIn0.e30.", "request_not_supported"],
    ["request_uri", "https://client.example/request.jwt", "request_uri_not_supported"],
    ["registration", "{}", "registration_not_supported"],
    ["authorization_details", "[]", "invalid_authorization_details"],
    ["id_token_hint", "eyJhbGciOiJub25lIn0.e30.", "invalid_request"],
    ["prompt", "none", "interaction_required"],
    ["prompt", "none login", "invalid_request"],
    ["prompt", "create", "invalid_request"],
    ["prompt", "Consent", "invalid_request"],
    ["max_age", "-1", "invalid_request"],
    ["max_age", "soon", "invalid_request"]
  ] as const) {
    it(`is refused with ${name}=${value}: ${error}`, async () => {
      assert.strictEqual(told(await ask([[name, value]])), error)
    })
  }

  for (const [name, value] of [
    ["response_mode", "query"],
    ["response_mode", ""],
    ["request", ""],
    ["prompt", ""],
    ["prompt", "consent"],
    ["prompt", "login consent"],
    ["prompt", "select_account"],
    ["max_age", "3600"],
    ["display", "popup"],
    ["ui_locales", "de"],
    ["login_hint", "ada@example.com"],
    ["acr_values", "1"],
    ["claims", "{}"],
    ["nonce", "n"],
    ["dpop_jkt", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"],
    ["of_nobody", "x"]
  ] as const) {
    it(`is served with ${name}=${value}`, async () => asksForConsent(await ask([[name, value]])))
  }

  for (const [name, value, error] of [
    ["prompt", "login", "login_required"],
    ["prompt", "select_account", "account_selection_required"],
    ["max_age", "0", "login_required"]
  ] as const) {
    it(`is refused with ${name}=${value} where the app signs people in: ${error}`, async () => {
      assert.strictEqual(told(await ask([[name, value]], throughApp)), error)
    })
  }

  it("tells no stranger's address of what it refuses", async () => {
    const { visitor } = testApp()
    const request = await authorizationRequest(await visitor.register())
    for (const change of [{ client_id: "nobody" }, { redirect_uri: "https://evil.example/callback" }]) {
      const response = await visitor.get("/authorize", { ...request, ...change, request: "x", prompt: "none" })
      assert.strictEqual(response.status, 400)
      assert.isNull(response.headers.get("location"))
    }
  })
})

describe("prompt", () => {
  /** A browser that remembers a consent, and what the server says to a further request of the client. */
  const remembering = async () => {
    const { visitor } = testApp()
    const request = await authorizationRequest(await visitor.register())
    const form = formOf(await (await visitor.get("/authorize", request)).text())
    form.set("decision", "approve")
    form.set("remember", "yes")
    locationOf(await visitor.post("/authorize", form))
    return { visitor, again: (more: object) => visitor.get("/authorize", { ...request, ...more }) }
  }

  it("consent shows the page to a browser that remembers one", async () => {
    const { again } = await remembering()
    assert.strictEqual(locationOf(await again({})).origin, "https://clerk.example.com")
    await asksForConsent(await again({ prompt: "consent" }))
  })

  it("login, select_account and max_age have Clerk ask who it is, with a remembered consent and without", async () => {
    const { again, visitor } = await remembering()
    assert.isNull(locationOf(await again({})).searchParams.get("prompt"))
    for (const more of [{ prompt: "login" }, { prompt: "select_account" }, { max_age: "60" }]) {
      assert.strictEqual(locationOf(await again(more)).searchParams.get("prompt"), "login")
    }
    const signIn = await visitor.decide(await again({ prompt: "consent login" }), "approve")
    assert.strictEqual(signIn.searchParams.get("prompt"), "login")
  })
})

describe("a form, and the way back from the sign-in", () => {
  it("are refused with a field or a parameter twice, and nothing is used up", async () => {
    const { visitor } = testApp()
    const consent = await visitor.get("/authorize", await authorizationRequest(await visitor.register()))
    const form = formOf(await consent.text())
    form.set("decision", "approve")
    for (const [name, value] of [
      ["handle", "x"],
      ["decision", "deny"],
      ["remember", "yes"]
    ] as const) {
      const sent = new URLSearchParams(form)
      if (name === "remember") sent.append(name, value)
      sent.append(name, value)
      const refused = await visitor.post("/authorize", sent)
      assert.strictEqual(refused.status, 400)
      assert.include(await refused.text(), "twice")
    }
    const state = locationOf(await visitor.post("/authorize", form)).searchParams.get("state") ?? ""
    for (const more of ["state=x", `state=${state}`, "code=user_mina"]) {
      const refused = await visitor.get(`/callback?state=${state}&code=user_ada&${more}`)
      assert.strictEqual(refused.status, 400)
      assert.include(await refused.text(), "twice")
    }
    const back = locationOf(await visitor.get("/callback", { state, code: "user_ada" }))
    assert.isTrue(back.searchParams.has("code"))
  })

  it("are refused where the app's form holds a field twice", async () => {
    const { handler, visitor } = testApp(throughApp)
    const state = await goToApp(visitor, await visitor.register())
    for (const more of ["state=x", "session_token=d.e.f", "error=a&error=b"]) {
      const body = new URLSearchParams(`state=${state}&session_token=a.b.c&${more}`)
      const headers = { origin: throughApp.APP_URL }
      const refused = await handler(new Request("https://mcp.example.com/callback", { method: "POST", headers, body }))
      assert.strictEqual(refused.status, 400)
      assert.isNull(refused.headers.get("location"))
      assert.isEmpty(refused.headers.getSetCookie())
    }
  })
})
