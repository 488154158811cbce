import * as Context from "effect/Context"
import type { JWK } from "jose"

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
  /** Names of the JWT templates that `/v1/sessions/{id}/tokens/{template}` knows. */
  readonly jwtTemplates: ReadonlyArray<string>
  /** Audience of template tokens; absent means that they carry none, as a template without `aud` in Clerk. */
  readonly templateAudience: string | undefined
  /** `azp` of session tokens: the origin of the application that the person signed in to. */
  readonly authorizedParty: string
  /** Private RS256 key as a JWK, for tokens that stay valid between starts. A fresh pair is made without it. */
  readonly signingKey: JWK | undefined
}

/** Values of the demo; none of them is secret, and all say that they are not real. */
export const demoOptions: StandInOptions = {
  port: 9788,
  host: "localhost",
  clientId: "mcp-worker-demo",
  clientSecret: "stand-in-client-secret-not-a-real-one",
  redirectUris: ["http://localhost:8788/callback", "http://127.0.0.1:8788/callback"],
  secretKey: "sk_test_localStandInNotARealSecretKey",
  jwtTemplates: ["mcp-server"],
  templateAudience: undefined,
  authorizedParty: "http://localhost:3000",
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
export const publishableKeyOf = (origin: string): string => {
  const { hostname, port } = new URL(origin)
  const host = hostname === "localhost" ? "127.0.0.1" : hostname
  return `pk_test_${btoa(`${host}:${port}$`)}`
}

/** Identifier of the one Clerk instance that the stand-in plays. */
export const instanceId = "ins_localStandIn0000000000000000"
