import {
  type ClientCapabilities,
  type InputRequest,
  inputRequired,
  type InputRequiredResult,
  type ServerContext
} from "@modelcontextprotocol/server"
import * as Cause from "effect/Cause"
import * as Digest from "effect/crypto/Digest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"

import { CurrentPrincipal } from "../domain/Principal.ts"
import { StateSigner } from "../oauth/StateSigner.ts"
import { Elicitation } from "../capability/Elicitation.ts"
import * as Question from "../capability/Question.ts"
import * as Manifest from "./Manifest.ts"

/** What a client sent back with its answers is not what it was given for this call. */
export class StateRefused extends Schema.TaggedError<StateRefused>()("StateRefused", {}) {
  override readonly message = "Invalid or expired requestState"
}

/** How long a person may take for an answer. */
const lifetime = Duration.minutes(10)

const Replies = Schema.Record(Schema.String, Schema.Json)

/** What travels through the client from one round to the next, signed: whose call it is, and what was asked and said. */
const Kept = Schema.fromJsonString(
  Schema.Struct({ call: Schema.String, asked: Schema.Array(Schema.String), replies: Replies })
)

/** Names the call that a round belongs to. The order of keys in the arguments does not matter. */
const fingerprint = Effect.fnUntraced(function* (ctx: ServerContext, name: string, args: unknown) {
  const digest = yield* Digest.Digest
  const { userId, clientId, organizationId } = yield* CurrentPrincipal
  const place = organizationId === undefined ? [] : [organizationId]
  const call = JSON.stringify([userId, clientId, ctx.mcpReq.method, name, args ?? {}, ...place], (_, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)))
      : value
  )
  return yield* Effect.orDie(digest.digestHex(Digest.sha256, new TextEncoder().encode(call)))
})

/** What earlier rounds of this call asked and heard. State of another call, user, client or organization is refused. */
const resume = Effect.fnUntraced(function* (state: unknown, call: string) {
  if (typeof state !== "string") return yield* new StateRefused()
  const signer = yield* StateSigner
  const payload = yield* Effect.mapError(signer.verify("question", state), () => new StateRefused())
  const kept = Option.filter(Schema.decodeOption(Kept)(payload), (candidate) => candidate.call === call)
  return yield* Effect.mapError(Effect.fromOption(kept), () => new StateRefused())
})

/**
 * Runs a program that may ask the client (`Elicitation`). Where it does, the round ends in the questions, which the SDK puts to
 * clients of either era: as the result of the request (MCP 2026-07-28, multi-round-trip requests), or as requests of the
 * server's own (2025-era elicitation, sampling and roots), and the handler is called again with the answers.
 *
 * The state that travels along is bound to user, client, organization, tool and arguments, and expires. It proves what
 * earlier rounds heard, not that a person was asked: a client could answer in a person's place as well. So replies
 * without any state count, as the first answers of a call; with a state, only replies to what it asked.
 */
export const run = <A, E, R>(
  ctx: ServerContext,
  capabilities: ClientCapabilities | undefined,
  name: string,
  args: unknown,
  program: Effect.Effect<A, E, R>
): Effect.Effect<
  A | InputRequiredResult,
  E | StateRefused,
  Exclude<R, Elicitation> | CurrentPrincipal | StateSigner | Digest.Digest
> =>
  Effect.gen(function* () {
    const signer = yield* StateSigner
    const { mcpReq } = ctx
    // Most calls neither ask nor answer, and need no fingerprint.
    const call = fingerprint(ctx, name, args)
    const state = mcpReq.requestState()
    const kept = state === undefined ? undefined : yield* resume(state, yield* call)
    const sent = Option.getOrElse(Schema.decodeUnknownOption(Replies)(mcpReq.inputResponses), () => ({}))
    const replies = {
      ...kept?.replies,
      ...Record.filter(sent, (_, key) => kept === undefined || kept.asked.includes(key))
    }
    let open: Readonly<Record<string, Question.InputRequest>> | undefined

    const elicitation = Elicitation.of({
      supports: (kind) => capabilities !== undefined && supported(capabilities)[kind],
      reply: (key) => replies[key],
      suspend: (requests) =>
        Effect.suspend(() => {
          open = requests
          return Effect.interrupt
        })
    })

    const questions = Effect.fnUntraced(function* (requests: Readonly<Record<string, Question.InputRequest>>) {
      const kept = { call: yield* call, asked: Object.keys(requests), replies }
      const payload = yield* Effect.orDie(Schema.encodeEffect(Kept)(kept))
      const requestState = yield* signer.sign("question", payload, lifetime)
      return inputRequired({ inputRequests: Record.map(requests, inputRequest), requestState })
    })

    return yield* Effect.provideService(program, Elicitation, elicitation).pipe(
      Effect.catchCauseIf(Cause.hasInterruptsOnly, (cause) =>
        open === undefined ? Effect.failCause(cause) : questions(open)
      )
    )
  })

const supported = ({ elicitation, sampling, roots }: ClientCapabilities) => ({
  // A client that names no mode means forms (MCP, elicitation, capabilities).
  Form: elicitation !== undefined && (elicitation.form !== undefined || elicitation.url === undefined),
  Sampling: sampling !== undefined,
  Roots: roots !== undefined
})

/** Forms know no word for what they do not name (MCP, elicitation, requested schema). */
const formSchema = (schema: Schema.Constraint) => {
  const { additionalProperties: _, ...form } = Manifest.jsonSchema(schema)
  return { ...form, type: "object" as const }
}

const inputRequest: (request: Question.InputRequest) => InputRequest = Question.InputRequest.$match({
  Form: ({ message, schema, layout }) =>
    inputRequired.elicit({
      message,
      requestedSchema: Manifest.advertised(layout === undefined ? formSchema(schema) : { type: "object", ...layout })
    }),
  Sampling: ({ prompt, maxTokens }) =>
    inputRequired.createMessage({ messages: [{ role: "user", content: { type: "text", text: prompt } }], maxTokens }),
  Roots: () => inputRequired.listRoots()
})
