import type { AuthInfo, CompleteRequestParams, CompleteResult } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { AccessError } from "../access/Access.ts"
import type { Policy } from "../access/Policy.ts"
import type { Completions } from "../capability/Completion.ts"
import { Elicitation } from "../capability/Elicitation.ts"
import type { RequestServices } from "../capability/RequestServices.ts"
import * as Authorize from "./Authorize.ts"

/** A completion was asked for something that the server does not offer. */
export class NothingToComplete extends Schema.TaggedError<NothingToComplete>()("NothingToComplete", {
  reference: Schema.String
}) {
  override get message(): string {
    return `${this.reference} not found`
  }
}

interface Completable {
  readonly policy: Policy
  readonly complete: Completions<RequestServices>
}

/** The most values that one answer may hold (MCP, completion). */
const maxValues = 100

/** A completion is one answer while a person types: there is nobody to put questions to. */
const unasked = Elicitation.of({
  supports: () => false,
  reply: () => undefined,
  suspend: () => Effect.die(new TypeError("a completion cannot put questions to the client"))
})

/** Suggests values for an argument of a prompt or of a resource's address, to those who may use it. */
export const complete = Effect.fnUntraced(function* (
  prompts: ReadonlyArray<Completable & { readonly listed: { readonly name: string } }>,
  templates: ReadonlyArray<Completable & { readonly listed: { readonly uriTemplate: string } }>,
  { ref, argument, context }: CompleteRequestParams,
  authInfo: AuthInfo | undefined
): Effect.fn.Return<CompleteResult, AccessError | Authorize.NotPermitted | NothingToComplete> {
  const reference = ref.type === "ref/prompt" ? ref.name : ref.uri
  const found =
    ref.type === "ref/prompt"
      ? prompts.find(({ listed }) => listed.name === ref.name)
      : templates.find(({ listed }) => listed.uriTemplate === ref.uri)
  if (found === undefined) return yield* new NothingToComplete({ reference })
  const completion = Object.hasOwn(found.complete, argument.name) ? found.complete[argument.name] : undefined
  const suggested = completion?.(argument.value, context?.arguments ?? {}) ?? Effect.succeed([])
  const values = yield* Authorize.authorize(
    found.policy,
    authInfo,
    Effect.provideService(suggested, Elicitation, unasked)
  )
  return {
    completion: { values: values.slice(0, maxValues), total: values.length, hasMore: values.length > maxValues }
  }
})
