import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as jose from "jose"

import { ClerkStandIn } from "../../dev/clerk/ClerkStandIn.ts"
import { mcpServerTemplate } from "../../dev/clerk/JwtTemplates.ts"
import type { StandInOptions } from "../../dev/clerk/StandInOptions.ts"
import { freePort } from "./FreePort.ts"
import { WebBrowser } from "./WebBrowser.ts"

const keyPair = () => jose.generateKeyPair("RS256", { extractable: true })

/** Where the tests' MCP server would be: nobody listens there, and no test goes there. */
export const mcpServerUrl = "http://localhost:8788"

/** A Clerk stand-in for one application on this machine, and the settings of that application. */
export const clerkForApp = Effect.fnUntraced(function* (instance: StandInOptions["instance"] = "development") {
  const port = yield* Effect.promise(freePort)
  const appUrl = `http://127.0.0.1:${port}`
  const [own, stranger] = yield* Effect.promise(() => Promise.all([keyPair(), keyPair()]))
  const signingKey = { ...(yield* Effect.promise(() => jose.exportJWK(own.privateKey))), kid: "ins_own" }
  const standIn = ClerkStandIn.layer({
    port: 0,
    // A production instance shares its host name with the application, a development instance does not.
    host: instance === "production" ? "127.0.0.1" : "localhost",
    instance,
    signingKey,
    appOrigins: [appUrl],
    jwtTemplates: {
      "mcp-server": mcpServerTemplate(appUrl),
      reports: { aud: "https://reports.example.com", email: "{{user.primary_email_address}}", role: "admin" },
      bare: { email: "{{user.primary_email_address}}", role: "admin" },
      namesake: { aud: appUrl }
    }
  })
  const clerk = Context.get(yield* Layer.build(standIn), ClerkStandIn)
  const { CLERK_API_URL, CLERK_FRONTEND_API, CLERK_PUBLISHABLE_KEY, CLERK_SECRET_KEY } = clerk.settings
  const settings = {
    MCP_SERVER_URL: mcpServerUrl,
    APP_URL: appUrl,
    CLERK_SECRET_KEY,
    CLERK_PUBLISHABLE_KEY,
    CLERK_FRONTEND_API,
    CLERK_API_URL,
    CLERK_SIGN_IN_URL: `${clerk.url}/sign-in`
  }
  const browser = () => new WebBrowser(appUrl, clerk.url)

  /** A browser that has gone from an address of the application to the sign-in page and back. */
  const signIn = (email: string, path: string) =>
    Effect.promise(async () => {
      const visitor = browser()
      const form = await visitor.open(`${appUrl}${path}`)
      const page = await visitor.open(form.url, new URLSearchParams({ email }))
      return { browser: visitor, form, page }
    })

  /** A fresh session of this user and a token of a template for it, as the MCP server gets them. */
  const templateToken = Effect.fnUntraced(function* (email: string, template = "mcp-server") {
    const session = yield* Effect.orDie(clerk.admin.createSession(email))
    return yield* Effect.promise(async () => {
      const response = await fetch(`${clerk.url}/v1/sessions/${session.id}/tokens/${template}`, {
        method: "POST",
        headers: { authorization: `Bearer ${CLERK_SECRET_KEY}` }
      })
      const { jwt } = await response.json<{ readonly jwt: string }>()
      return jwt
    })
  })

  const now = Math.floor(Date.now() / 1000)
  const inOrder = {
    iss: clerk.url,
    sub: clerk.users.admin.id,
    aud: appUrl,
    iat: now,
    nbf: now - 10,
    exp: now + 60,
    email: "admin@example.com",
    role: "admin"
  }
  /** A template token as the instance signs it, with these claims and header fields instead of the right ones. */
  const forge = (
    claims: Readonly<Record<string, unknown>> = {},
    header: Readonly<Record<string, string>> = {},
    signer: "own" | "stranger" = "own"
  ) =>
    Effect.promise(() =>
      new jose.SignJWT({ ...inOrder, ...claims })
        .setProtectedHeader({ alg: "RS256", typ: "JWT", kid: "ins_own", cat: "cl_B7d4PD222AAA", ...header })
        .sign((signer === "own" ? own : stranger).privateKey)
    )

  /** Every token that the application's API has to refuse, by what is wrong with it. */
  const refusedTokens: Readonly<Record<string, Effect.Effect<string>>> = {
    "not a token": Effect.succeed("aaa.bbb.ccc"),
    "a session token from the Backend API": Effect.gen(function* () {
      const session = yield* clerk.admin.createSession("admin@example.com")
      const response = yield* Effect.promise(() =>
        fetch(`${clerk.url}/v1/sessions/${session.id}/tokens`, {
          method: "POST",
          headers: { authorization: `Bearer ${CLERK_SECRET_KEY}` }
        })
      )
      return ((yield* Effect.promise(() => response.json())) as { readonly jwt: string }).jwt
    }).pipe(Effect.orDie),
    "a session token of a browser": clerk.admin.createSession("admin@example.com").pipe(
      Effect.flatMap((session) => clerk.admin.mintSessionToken(session.id, appUrl)),
      Effect.orDie
    ),
    "an id_token": forge({ nonce: "n", aud: "mcp-worker-demo" }, { cat: "cl_B7d4PD111AAA" }),
    "an id_token for the application": forge({ nonce: "n" }, { cat: "" }),
    "a token of another template": templateToken("admin@example.com", "reports"),
    "a token of a template without audience": templateToken("admin@example.com", "bare"),
    "a token of a template with the audience only": templateToken("admin@example.com", "namesake"),
    "a template token with a session in it": forge({ sid: "sess_1" }),
    "an expired token": forge({ iat: now - 120, nbf: now - 130, exp: now - 60 }),
    "a token of more than two minutes ago": forge({ iat: now - 125, nbf: now - 130, exp: now + 600 }),
    "a token that is not valid yet": forge({ nbf: now + 60 }),
    "another audience among others": forge({ aud: [appUrl, "https://app.example.com"] }),
    "a wrong azp": forge({ azp: "https://app.example.com" }),
    "another issuer": forge({ iss: "https://clerk.example.com" }),
    "another instance's key under this one's name": forge({}, {}, "stranger"),
    "another instance's key": forge({}, { kid: "ins_other" }, "stranger"),
    "no signature": Effect.map(forge({}, {}), (jwt) => `${jwt.split(".").slice(0, 2).join(".")}.`)
  }

  return { port, appUrl, clerk, settings, browser, signIn, templateToken, forge, refusedTokens }
})
