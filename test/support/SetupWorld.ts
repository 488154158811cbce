import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { ClerkStandIn } from "../../dev/clerk/ClerkStandIn.ts"
import { ClerkProxy } from "./ClerkProxy.ts"
import { CloudflareStandIn } from "./CloudflareStandIn.ts"
import { TeamFolder } from "./TeamFolder.ts"

const disposed = <A extends AsyncDisposable>(open: () => Promise<A>) => Effect.acquireDisposable(Effect.promise(open))

/** Stand-ins for Clerk and Cloudflare, for a file's tests. */
export class SetupWorld extends Context.Service<
  SetupWorld,
  { readonly clerk: ClerkStandIn["Service"]; readonly secretKey: string }
>()("test/SetupWorld") {
  static readonly layer = Layer.effect(
    SetupWorld,
    Effect.map(ClerkStandIn, (clerk) => ({ clerk, secretKey: clerk.settings.CLERK_SECRET_KEY }))
  ).pipe(Layer.provideMerge(ClerkStandIn.layer({ port: 0 })))
}

/** A new server of a team's, an account of Cloudflare's with nothing in it, and the way to Clerk. */
export const newTeam = Effect.gen(function* () {
  const { clerk, secretKey } = yield* SetupWorld
  yield* clerk.admin.reset
  const cloudflare = yield* disposed(() => CloudflareStandIn.start())
  const proxy = yield* disposed(() => ClerkProxy.before(clerk.url))
  const team = yield* disposed(() => TeamFolder.make())
  const known = { ...cloudflare.environment, CLERK_API_URL: proxy.url, CLERK_SECRET_KEY: secretKey }
  return {
    clerk,
    cloudflare,
    proxy,
    team,
    secretKey,
    /** `clerk-mcp setup --yes` of an environment. An empty variable is one that is not set. */
    setup: (environment: string, variables: Readonly<Record<string, string>> = {}, ...flags: ReadonlyArray<string>) =>
      Effect.promise(async () =>
        team.run(["setup", "--yes", "--env", environment, ...flags], { ...known, ...variables })
      )
  }
})

/** The vars of an environment in a `wrangler.jsonc` and the id of its KV namespace. */
export interface EnvironmentBlock {
  readonly vars: Readonly<Record<string, string>>
  readonly kv_namespaces: ReadonlyArray<{ readonly id?: string }>
}
