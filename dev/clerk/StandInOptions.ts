import * as Context from "effect/Context"
import type { JWK } from "jose"
import { createHash } from "node:crypto"
import type { FeatureSwitches } from "./Features.ts"
import { type JwtTemplate, mcpServerTemplate } from "./JwtTemplates.ts"

/** Who is told of changes: an address, and the secret by which it knows the sender, `whsec_` and base64. */
export interface WebhookEndpoint {
  readonly url: string
  readonly secret: string
}

/** What a stand-in can be started with; every field has a demo default in {@link demoOptions}. */
export interface StandInOptions {
  /** Port to listen on; 0 takes any free one. */
  readonly port: number
  /** A loopback name, because the hooks under `/_stand-in` are unauthenticated. */
  readonly host: "localhost" | "127.0.0.1"
  readonly clientId: string
  readonly clientSecret: string
  /** Exact redirect addresses of the demo OAuth application. */
  readonly redirectUris: ReadonlyArray<string>
  readonly secretKey: string
  /** The JWT templates that `/v1/sessions/{id}/tokens/{template}` knows, by name. */
  readonly jwtTemplates: { readonly [name: string]: JwtTemplate }
  /** Origins of the applications that people sign in to: the Frontend API sends browsers nowhere else. */
  readonly appOrigins: ReadonlyArray<string>
  /**
   * A development instance hands the session to an application in the address, a production one in cookies of the host
   * name that both share (a domain in Clerk's case).
   */
  readonly instance: "development" | "production"
  /** What is switched on; a new Clerk instance has no organizations. */
  readonly features: FeatureSwitches
  /** Where the instance's webhooks go; nowhere without it. */
  readonly webhooks: WebhookEndpoint | undefined
  /** Private RS256 key as a JWK, for tokens that stay valid between starts. A fresh pair is made without it. */
  readonly signingKey: JWK | undefined
}

const demoAppUrl = "http://127.0.0.1:3000"

/** Values of the demo; none of them is secret, and all say that they are not real. */
export const demoOptions: StandInOptions = {
  port: 9788,
  host: "localhost",
  clientId: "mcp-worker-demo",
  clientSecret: "stand-in-client-secret-not-a-real-one",
  redirectUris: ["http://localhost:8788/callback", "http://127.0.0.1:8788/callback"],
  secretKey: "sk_test_localStandInNotARealSecretKey",
  jwtTemplates: { "mcp-server": mcpServerTemplate(demoAppUrl) },
  appOrigins: [demoAppUrl],
  instance: "development",
  features: { organizations: true },
  webhooks: undefined,
  signingKey: undefined
}

/** The options of the running stand-in and the origin that it listens on, which is also its issuer. */
export class StandInSettings extends Context.Service<StandInSettings, StandInOptions & { readonly origin: string }>()(
  "dev/clerk/StandInSettings"
) {}

/**
 * Clerk's publishable key is the Frontend API host, base64 encoded with a `$` at its end. The SDK refuses a host without
 * a dot, so `localhost` goes by its address.
 */
export const publishableKeyOf = (origin: string, instance: StandInOptions["instance"]): string => {
  const { hostname, port } = new URL(origin)
  const host = hostname === "localhost" ? "127.0.0.1" : hostname
  return `pk_${instance === "production" ? "live" : "test"}_${btoa(`${host}:${port}$`)}`
}

/** What Clerk appends to the names of an instance's cookies, so that two instances do not read each other's. */
export const cookieSuffixOf = (publishableKey: string): string =>
  createHash("sha1").update(publishableKey).digest("base64url").slice(0, 8)

/** Identifier of the one Clerk instance that the stand-in plays. */
export const instanceId = "ins_localStandIn0000000000000000"
