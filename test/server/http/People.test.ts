import { assert, describe, it } from "@effect/vitest"

import { ClerkUnavailable } from "../../../src/server/clerk/ClerkError.ts"
import { accountServer, formTo, page, signedIn, statusWith } from "../../support/AtAccount.ts"

describe("an operator at /account", () => {
  it("finds somebody, sees the same, signs them out, and that is recorded for them", async () => {
    const server = accountServer()
    const { access_token: token } = await server.visitor.signIn("user_mina")
    const browser = await signedIn(server, "user_ada")
    const search = formTo(await page(browser), "/account/people")
    search.set("who", "mina@example.com")
    const found = await browser.post("/account/people", search)
    assert.strictEqual(found.headers.get("location"), "/account/people/user_mina")
    const text = await page(browser, "/account/people/user_mina")
    assert.include(text, "mina@example.com")
    const asked = formTo(text, "/account/explain")
    asked.set("kind", "tool")
    asked.set("name", "paint")
    assert.include(await (await browser.post("/account/explain", asked)).text(), "user_mina may not use paint")
    await browser.post(
      "/account/end",
      formTo(text, "/account/end", (form) => form.get("grant") === "all")
    )
    assert.strictEqual(await statusWith(server, token), 401)
    const own = await page(await signedIn(server, "user_mina"))
    assert.include(own, "connection ended by an operator")
    for (const part of ["an operator looked at this page", "an operator asked about tool paint"]) {
      assert.include(own, part)
    }
    const lines = server.log.filter((line) => line.includes("Operator action"))
    assert.lengthOf(lines, 3)
    for (const line of lines) {
      for (const part of ["user_mina", "user_ada"]) assert.include(line, part)
    }
    assert.notInclude(server.log.join("\n"), "mina@example.com")
  })

  it("is nobody whom the policy does not name: for others there is nothing here", async () => {
    const server = accountServer()
    const { access_token: token } = await server.visitor.signIn("user_ada")
    const browser = await signedIn(server, "user_mina")
    const text = await page(browser)
    assert.notInclude(text, "For operators")
    assert.strictEqual((await browser.get("/account/people/user_ada")).status, 404)
    const form = formTo(text, "/account/sign-out")
    form.set("user", "user_ada")
    form.set("grant", "all")
    form.set("who", "user_ada")
    form.set("kind", "tool")
    form.set("name", "paint")
    for (const path of ["/account/end", "/account/people", "/account/explain"]) {
      assert.strictEqual((await browser.post(path, form)).status, 404, path)
    }
    assert.strictEqual(await statusWith(server, token), 200)
  })

  it("leaves nothing behind for an id that nobody has, and notes no text that the catalogue does not know", async () => {
    const server = accountServer()
    await server.visitor.signIn("user_mina")
    const browser = await signedIn(server, "user_ada")
    const search = formTo(await page(browser), "/account/people")
    for (const [who, status] of [
      ["user_nobody", 302],
      ["nobody@example.com", 404],
      ["", 404]
    ] as const) {
      search.set("who", who)
      assert.strictEqual((await browser.post("/account/people", search)).status, status, who)
    }
    const before = server.accounts.calls.get("standing")
    const response = await browser.get("/account/people/user_nobody")
    assert.strictEqual(response.status, 404)
    assert.include(await response.text(), "Nobody was found")
    // The operator's own.
    assert.strictEqual(server.accounts.calls.get("standing"), (before ?? 0) + 1)
    const asked = formTo(await page(browser, "/account/people/user_mina"), "/account/explain")
    asked.set("kind", "tool")
    asked.set("name", "mina@example.com")
    assert.include(await (await browser.post("/account/explain", asked)).text(), "There is no tool")
    const recorded = await server.accounts.namespace.getByName("user_mina").newest(50)
    assert.deepEqual(
      recorded.map((one) => ("did" in one ? one.did._tag : one.method)),
      ["Looked"]
    )
    assert.notInclude(server.log.join("\n"), "@example.com")
  })

  it("is noted once for a connection that is ended twice, and not for their own", async () => {
    const server = accountServer()
    await server.visitor.signIn("user_mina")
    await server.visitor.signIn("user_ada")
    const browser = await signedIn(server, "user_ada")
    const own = formTo(await page(browser), "/account/end", (form) => form.get("grant") === "all")
    const theirs = formTo(await page(browser, "/account/people/user_mina"), "/account/end")
    for (const form of [theirs, theirs, own, own]) {
      assert.strictEqual((await browser.post("/account/end", form)).status, 302)
    }
    await page(browser, "/account/people/user_ada")
    const ended = await server.accounts.namespace.getByName("user_mina").newest(50)
    assert.lengthOf(
      ended.filter((one) => "did" in one && one.did._tag === "Ended"),
      1
    )
    assert.isEmpty(await server.accounts.namespace.getByName("user_ada").newest(50))
  })

  it("sees nobody of whom it cannot be noted, and nobody while Clerk does not answer", async () => {
    const server = accountServer()
    await server.visitor.signIn("user_mina")
    const browser = await signedIn(server, "user_ada")
    await page(browser)
    server.clerk.outage = new ClerkUnavailable({ operation: "users.getUser" })
    const untold = await browser.get("/account/people/user_mina")
    assert.strictEqual(untold.status, 503)
    assert.notInclude(await untold.text(), "End this connection")
    server.clerk.outage = undefined
    const { namespace } = server.accounts
    const real = namespace.getByName
    namespace.getByName = (name) => ({ ...real(name), record: () => Promise.reject(new Error("replaced")) })
    assert.strictEqual((await browser.get("/account/people/user_mina")).status, 503)
  })

  it("learns that an account is closed", async () => {
    const server = accountServer()
    const browser = await signedIn(server, "user_ada")
    const response = await browser.get("/account/people/user_banned")
    assert.strictEqual(response.status, 404)
    assert.include(await response.text(), "can no longer use this server")
  })
})
