import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { setup as run } from "../setup/Setup.ts"

/** Sets up an environment of the server in the current folder with Clerk and Cloudflare. */
export const setup = Command.make(
  "setup",
  {
    env: Flag.String("env").pipe(
      Flag.withDescription("The environment: local, staging, production, or a name of your own"),
      Flag.optional
    ),
    yes: Flag.Boolean("yes").pipe(
      Flag.withAlias("y"),
      Flag.withDescription("Ask nothing: what is not known is taken from the environment"),
      Flag.withDefault(false)
    ),
    replaceSecrets: Flag.Boolean("replace-secrets").pipe(
      Flag.withDescription("Store secrets again that are stored already, with a new client secret of Clerk's"),
      Flag.withDefault(false)
    )
  },
  run
).pipe(
  Command.withDescription(
    "From a Clerk secret key and a Cloudflare login to an environment that can be deployed: the OAuth application, the KV " +
      "namespace, the secrets, and the settings in wrangler.jsonc. Safe to run again: it changes only what is not as it has " +
      "to be, and goes on where it was cut off. Reads CLERK_SECRET_KEY, PUBLIC_URL, SIGN_IN, APP_URL, CLERK_CLIENT_SECRET " +
      "and CLERK_WEBHOOK_SECRET from the environment."
  ),
  Command.withShortDescription("Set up Clerk and Cloudflare for an environment of this server")
)
