import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import {
  Completion,
  CurrentOrganization,
  CurrentPrincipal,
  CurrentUser,
  OrganizationId,
  Policy,
  PromptTemplate,
  Resource,
  Role,
  ClerkSessionId,
  UserId
} from "../server/index.ts"

const UserInfo = Schema.Struct({
  userId: UserId,
  sessionId: Schema.optionalKey(ClerkSessionId).annotate({ description: "The Clerk session, where it is known" }),
  email: Schema.NullOr(Schema.String),
  firstName: Schema.NullOr(Schema.String),
  lastName: Schema.NullOr(Schema.String),
  imageUrl: Schema.String,
  role: Schema.NullOr(Role),
  metadata: Schema.Record(Schema.String, Schema.Json).annotate({ description: "Clerk’s public metadata of the user" }),
  organization: Schema.NullOr(
    Schema.Struct({
      id: OrganizationId,
      slug: Schema.NullOr(Schema.String),
      name: Schema.String,
      role: Schema.String,
      permissions: Schema.Array(Schema.String)
    })
  ).annotate({ description: "The organization that this connection is for; null for the personal account" })
})

const userInfo = Effect.gen(function* () {
  const user = yield* CurrentUser
  const organization = Option.getOrNull(yield* CurrentOrganization)
  const { clerkSessionId } = yield* CurrentPrincipal
  return { ...user, organization, ...(clerkSessionId !== undefined && { sessionId: clerkSessionId }) }
})

const UserInfoTool = Tool.make("userInfo", {
  description: "Tell who is signed in: name, e-mail address, role, public metadata and organization of the account.",
  success: UserInfo,
  dependencies: [CurrentUser, CurrentOrganization, CurrentPrincipal]
})
  .annotate(Policy.Required, Policy.signedIn)
  .annotate(Tool.Title, "Who am I")
  .annotate(Tool.Readonly, true)
  .annotate(Tool.Destructive, false)
  .annotate(Tool.Idempotent, true)
  .annotate(Tool.OpenWorld, false)

export const toolkit = Toolkit.make(UserInfoTool)

export const layer = toolkit.toLayer({ userInfo: () => userInfo })

/** The same facts as a resource, for clients that attach it to a conversation. */
export const me = Resource.make({
  uri: "user://me",
  name: "me",
  title: "The signed-in user",
  description: "Name, e-mail address, role, public metadata and organization of the account.",
  policy: Policy.signedIn,
  schema: UserInfo,
  content: userInfo
})

export const introduceMe = PromptTemplate.make({
  name: "introduceMe",
  title: "Introduce me",
  description: "Write a short introduction of the signed-in person.",
  policy: Policy.signedIn,
  arguments: Schema.Struct({
    audience: Schema.String.check(Schema.isMaxCodePoints(200)).annotate({
      description: "Who will read the introduction"
    })
  }),
  complete: {
    audience: Completion.oneOf("a new team", "a customer", "conference visitors", "readers of a blog", "a recruiter")
  },
  content: Effect.fnUntraced(function* ({ audience }) {
    const { firstName, lastName, role } = yield* CurrentUser
    const name = [firstName, lastName].filter((part) => part !== null).join(" ") || "the person I am signed in as"
    return `Write an introduction of ${name}${role === null ? "" : `, whose role is ${role}`}, in three sentences, for this audience: ${audience}`
  })
})
