import type { TestUser } from "../../src/server/testing/TestUser.ts"
import { authorizationRequest } from "../../src/server/testing/Visitor.ts"
import { testApp } from "./TestApp.ts"
import type { Settings } from "./TestConfig.ts"

export const acme = { id: "org_acme", slug: "acme", name: "Acme", role: "org:admin", permissions: ["org:reports:read"] }
export const globex = { id: "org_globex", slug: null, name: "Globex", role: "org:member" }

/** The fixture with Ada in these organizations, whose browser has consented and is now at Clerk. */
export const atClerk = async (organizations: TestUser["organizations"] = [acme, globex], settings: Settings = {}) => {
  const app = testApp(settings)
  app.clerk.users.set("user_ada", { role: "admin", ...(organizations !== undefined && { organizations }) })
  const clientId = await app.visitor.register()
  const { visitor } = app
  /** Consents, and goes as far as the answer to the sign-in. */
  const signIn = async (scope?: string, client = clientId): Promise<Response> => {
    const consent = await visitor.get("/authorize", await authorizationRequest(client, scope))
    const upstream = await visitor.decide(consent, "approve")
    return visitor.get("/callback", { state: upstream.searchParams.get("state") ?? "", code: "user_ada" })
  }
  /** What the grants that are stored are for, in clear. */
  const grantedFor = async () =>
    (await app.accounts.dump("user_ada"))
      .filter(({ key }) => key.startsWith("grant:"))
      .map(({ value }) => (JSON.parse(value) as { readonly metadata: unknown }).metadata)
  return { ...app, clientId, grantedFor, signIn }
}
