import { assert, describe, it } from "@effect/vitest"

import { acme, globex } from "../../support/Members.ts"
import { testApp } from "../../support/TestApp.ts"
import { authorizationRequest, formOf, locationOf, Visitor } from "../../../src/server/testing/Visitor.ts"

/** A browser in which Ada approved a client and asked not to be asked again. */
const remembered = async (scopes: ReadonlyArray<string> = []) => {
  const app = testApp()
  const { visitor } = app
  const clientId = await visitor.register()
  const page = await visitor.get("/authorize", await authorizationRequest(clientId))
  const form = formOf(await page.text())
  form.set("decision", "approve")
  form.set("remember", "yes")
  for (const scope of scopes) form.append("scope", scope)
  const signIn = locationOf(await visitor.post("/authorize", form))
  const state = signIn.searchParams.get("state") ?? ""
  const back = locationOf(await visitor.get("/callback", { state, code: "user_ada" }))
  const tokens = await (
    await visitor.redeem(clientId, back.searchParams.get("code") ?? "")
  ).json<{
    readonly refresh_token: string
  }>()
  /** Authorizes again: at once to Clerk, and back as `userId`. */
  const again = async (userId: string) => {
    const next = locationOf(await visitor.get("/authorize", await authorizationRequest(clientId)))
    assert.strictEqual(next.origin, "https://clerk.example.com")
    return visitor.get("/callback", { state: next.searchParams.get("state") ?? "", code: userId })
  }
  const grantsFor = async () =>
    (await app.accounts.namespace.getByName("user_ada").grants()).map(({ organizationId }) => organizationId)
  return { ...app, clientId, tokens, again, grantsFor }
}

describe("remembered consent", () => {
  it("spares the person who gave it the page", async () => {
    const { again } = await remembered()
    assert.isNotNull(locationOf(await again("user_ada")).searchParams.get("code"))
  })

  it("is not somebody else's: whoever signs in without a connection of their own is asked", async () => {
    const { again, visitor } = await remembered()
    const page = await again("user_mina")
    assert.strictEqual(page.status, 200)
    const signIn = await visitor.decide(page, "approve")
    const state = signIn.searchParams.get("state") ?? ""
    const back = locationOf(await visitor.get("/callback", { state, code: "user_mina" }))
    assert.isNotNull(back.searchParams.get("code"))
  })

  it("gives nobody more than they allowed themselves: a connection with fewer scopes is asked about", async () => {
    const { again, clientId, handler } = await remembered(["grants:end"])
    const mina = new Visitor(handler)
    const consent = await mina.get("/authorize", await authorizationRequest(clientId))
    const state = (await mina.decide(consent, "approve")).searchParams.get("state") ?? ""
    const back = locationOf(await mina.get("/callback", { state, code: "user_mina" }))
    assert.strictEqual((await mina.redeem(clientId, back.searchParams.get("code") ?? "")).status, 200)
    // She signs in where Ada's consent, to more than that, is remembered.
    const page = await again("user_mina")
    assert.strictEqual(page.status, 200)
    assert.include(await page.text(), "in your name?")
    assert.isNotNull(locationOf(await again("user_ada")).searchParams.get("code"))
  })

  it("is for the organization of the connection: another one that is chosen is asked about", async () => {
    const { again, clerk, grantsFor, visitor, wait } = await remembered()
    clerk.users.set("user_ada", { organizations: [acme, globex] })
    wait(61)
    // Ada's connection is for her personal account, which she may choose as well.
    const ofAcme = await visitor.choose(await again("user_ada"), acme.id)
    assert.strictEqual(ofAcme.status, 200)
    assert.include(await ofAcme.clone().text(), "in your name?")
    assert.deepStrictEqual(await grantsFor(), [undefined])
    const signIn = await visitor.decide(ofAcme, "approve")
    const state = signIn.searchParams.get("state") ?? ""
    const page = await visitor.get("/callback", { state, code: "user_ada" })
    assert.isNotNull(locationOf(await visitor.choose(page, acme.id)).searchParams.get("code"))
    assert.sameMembers(await grantsFor(), [undefined, acme.id])
    // From now on it is remembered for these two, and not for the third.
    for (const place of ["personal", acme.id]) {
      const back = locationOf(await visitor.choose(await again("user_ada"), place))
      assert.isNotNull(back.searchParams.get("code"), place)
    }
    assert.strictEqual((await visitor.choose(await again("user_ada"), globex.id)).status, 200)
    assert.sameMembers(await grantsFor(), [undefined, undefined, acme.id, acme.id])
  })

  it("ends with the connection", async () => {
    const { again, clientId, tokens, visitor } = await remembered()
    // Another one, of another client, does not stand in for it.
    await visitor.signIn("user_ada")
    await visitor.token({ token: tokens.refresh_token, client_id: clientId })
    const page = await again("user_ada")
    assert.strictEqual(page.status, 200)
    assert.include(await page.text(), "in your name?")
  })
})
