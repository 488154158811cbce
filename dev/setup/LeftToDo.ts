import { mcpServerTemplate } from "../clerk/JwtTemplates.ts"
import { dashboard } from "./ClerkBackend.ts"
import type { ClerkInstance } from "./ClerkInstance.ts"

/** An environment after setup. */
export interface SetUp {
  readonly environment: string
  /** What `wrangler --env` takes for it. */
  readonly flag: string
  readonly publicUrl: string
  readonly appUrl: string | undefined
  readonly jwtTemplate: string
  readonly webhooks: boolean
  readonly instance: ClerkInstance
}

const events =
  "user.updated, user.deleted, session.ended, session.removed, session.revoked, all of organizationMembership, role and permission, organization.updated, organization.deleted"

/** What of the instance's features is off or unusual, and what that means. */
export const notes = ({ environment, instance }: Pick<SetUp, "environment" | "instance">): ReadonlyArray<string> => [
  ...(instance.organizations
    ? []
    : [
        `Organizations are off: everybody connects for the personal account, and a tool that needs an organization is nobody's. Switch them on at ${dashboard("organizations-settings")}.`
      ]),
  ...(environment === "production" && !instance.production
    ? [
        "This is a development instance of Clerk's: it takes few users. For production use the key of a production instance."
      ]
    : []),
  ...(environment === "local" && instance.production
    ? ["This is a production instance of Clerk's: on a laptop use the key of a development instance."]
    : [])
]

const webhooks = ({ environment, publicUrl }: SetUp) => [
  "Webhooks, so that a change in Clerk counts within seconds. Without them it takes a minute at most.",
  `Add the endpoint ${environment === "local" ? "https://YOUR-TUNNEL" : publicUrl}/webhooks/clerk at ${dashboard("webhooks")}`,
  `with the events ${events}.`,
  `Then npm run setup -- --env ${environment} asks for its signing secret (CLERK_WEBHOOK_SECRET).`
]

const jwtTemplate = (appUrl: string, name: string) => [
  "JWT template, for the tools that call your app's API",
  `Make one named ${name} at ${dashboard("jwt-templates")} with the claims`,
  JSON.stringify(mcpServerTemplate(appUrl))
]

const roles = [
  "Roles, where tools ask for them",
  `Write a user's role into the public metadata, such as {"role":"admin"}, at ${dashboard("users")}`
]

const next = ({ environment, flag, publicUrl }: SetUp) => [
  environment === "local" ? "Run it" : "Deploy it",
  environment === "local" ? "npm run dev" : `npm run deploy${flag === "" ? "" : ` -- --env ${flag}`}`,
  `Then connect a client to ${publicUrl}/mcp`
]

/** What only a person can do, in Clerk's dashboard and on the command line: a headline, and what to do where. */
export const leftToDo = (done: SetUp): ReadonlyArray<ReadonlyArray<string>> => {
  const { appUrl, instance, jwtTemplate: template } = done
  const lacksTemplate = template !== "" && !instance.jwtTemplates.includes(template)
  return [
    ...(done.webhooks ? [] : [webhooks(done)]),
    ...(appUrl !== undefined && lacksTemplate ? [jwtTemplate(appUrl, template)] : []),
    roles,
    next(done)
  ]
}
