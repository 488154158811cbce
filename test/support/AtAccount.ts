import { assert } from "@effect/vitest"

import { testServer } from "../../src/server/testing/TestServer.ts"
import { formOf, locationOf, Visitor } from "../../src/server/testing/Visitor.ts"
import fixture from "../server/fixture/worker.ts"
import type { Settings } from "./TestConfig.ts"

export const origin = "https://mcp.example.com"

/** The fixture, whose admins are operators. */
export const accountServer = (settings: Settings = {}) => {
  const users = [
    { id: "user_ada", role: "admin", email: "ada@example.com" },
    { id: "user_mina", firstName: "Mina", email: "mina@example.com" },
    { id: "user_banned", banned: true }
  ]
  return testServer(fixture, { users, settings: { FIXTURE_COLOUR: "red", ...settings } })
}

type AccountServer = ReturnType<typeof accountServer>

/** Presses Sign in, and tells the `state` that the browser is sent on with. */
export const begun = async (browser: Visitor) =>
  locationOf(await browser.post("/account/sign-in", new URLSearchParams())).searchParams.get("state") ?? ""

/** A browser that is signed in to the account page. */
export const signedIn = async ({ handler }: AccountServer, userId: string) => {
  const browser = new Visitor(handler, origin)
  const back = await browser.get("/callback", { state: await begun(browser), code: userId })
  assert.strictEqual(back.headers.get("location"), "/account")
  return browser
}

/** The forms of a page, each with the address that it goes to. */
const formsOf = (text: string) =>
  [...text.matchAll(/<form method="post" action="([^"]+)">([\s\S]*?)<\/form>/gu)].map(([, action = "", body = ""]) => ({
    action,
    form: formOf(body)
  }))

/** The fields of the form of a page that goes to this address. */
export const formTo = (text: string, action: string, wanted: (form: URLSearchParams) => boolean = () => true) => {
  const found = formsOf(text).find((each) => each.action === action && wanted(each.form))
  if (found === undefined) throw new Error(`no form to ${action}`)
  return found.form
}

/** What a client gets for its next call. */
export const statusWith = async ({ handler }: AccountServer, token: string) => {
  const headers = { authorization: `Bearer ${token}`, host: "mcp.example.com", accept: "application/json" }
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} })
  const init = { method: "POST", headers: { ...headers, "content-type": "application/json" }, body }
  return (await handler(new Request(`${origin}/mcp`, init))).status
}

/** A page as text. */
export const page = async (browser: Visitor, path = "/account") => (await browser.get(path)).text()
