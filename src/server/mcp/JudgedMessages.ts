import {
  type AuthInfo,
  type JSONRPCMessage,
  ProtocolErrorCode,
  type RequestId,
  type ScopeChallengeHandler,
  type ServerContext,
  specTypeSchemas
} from "@modelcontextprotocol/server"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"

import type * as Policy from "../access/Policy.ts"
import type { Principal } from "../domain/Principal.ts"
import { type Decision, Decisions } from "../observability/Decisions.ts"
import * as Incident from "../observability/Incident.ts"
import * as Authorize from "./Authorize.ts"
import { faultOf } from "./InvalidParams.ts"

/** A message of the protocol while it is served. */
interface Message {
  readonly id: RequestId
  readonly method: string
  readonly name: string
  readonly time: number
  /** What the policy said last: a program that asks is judged anew in each round. */
  judgement: Authorize.Judgement | undefined
  incident: Incident.Incident | undefined
}

/** What the transport of a session answers in place of a handler that was told to stop. */
const stopped = -32000

/** JSON-RPC 2.0, section 5.1. */
const internalError: number = ProtocolErrorCode.InternalError

const schemas: Readonly<Record<string, Parameters<typeof faultOf>[0]>> = {
  "tools/call": specTypeSchemas.CallToolRequest,
  "resources/read": specTypeSchemas.ReadResourceRequest,
  "prompts/get": specTypeSchemas.GetPromptRequest
}

/** Whether the SDK will refuse this message as malformed, whoever sent it. */
const isMalformed = (request: { readonly method: string }): boolean => {
  const schema = schemas[request.method]
  return schema !== undefined && faultOf(schema, request) !== undefined
}

const outcomeOf = (
  judgement: Authorize.Judgement,
  incident: Incident.Incident | undefined,
  answer: JSONRPCMessage
): Decision["outcome"] => {
  if (judgement.policy !== "allowed") return "refused"
  const failed = incident?.planned === false ? "defect" : "tool error"
  if ("error" in answer) {
    if (answer.error.code === stopped) return "cancelled"
    return incident === undefined && answer.error.code === internalError ? "defect" : failed
  }
  if (!("result" in answer)) return "completed"
  const { resultType, isError } = answer.result
  if (resultType === "input_required") return "input required"
  return isError === true ? failed : "completed"
}

/** Whom a record is of. */
const idsOf = ({ userId, clientId, grantId, organizationId }: Principal) => ({
  userId,
  clientId,
  grantId,
  ...(organizationId !== undefined && { organizationId })
})

/**
 * Records each message that a policy judges, once: when its answer is sent, or when it is cancelled. What a program does
 * in several rounds of one message (elicitation in a session) is one message still.
 */
export const makeJudgedMessages = Effect.gen(function* () {
  const { record } = yield* Decisions
  const context = yield* Effect.context()
  const run = Effect.runForkWith(context)
  const runPromise = Effect.runPromiseWith(context)
  const now = () => Effect.runSyncWith(context)(Clock.currentTimeMillis)
  /** What was judged of a POST before anything of it was served. */
  const challenged = new WeakMap<AuthInfo, Array<Message>>()

  const write = (
    { method, name, time, judgement, incident }: Message,
    outcome: (of: Authorize.Judgement) => Decision["outcome"]
  ): void => {
    if (judgement === undefined) return
    const { principal, policy, lacked } = judgement
    run(
      Effect.gen(function* () {
        const reference = incident?.reference ?? (yield* Incident.reference)
        const durationMs = (yield* Clock.currentTimeMillis) - time
        yield* record({
          time,
          ...idsOf(principal),
          method,
          name,
          policy,
          lacked,
          durationMs,
          outcome: outcome(judgement),
          reference
        })
      })
    )
  }

  return {
    /**
     * The scopes to step up for before a message is served. Where some are missing, the whole POST is refused, with what
     * was judged of it before.
     */
    challenge:
      (policy: Policy.Policy, name: string): ScopeChallengeHandler =>
      async ({ request, authInfo }) => {
        if (isMalformed(request) || authInfo === undefined) return undefined
        const { id, method } = request
        const message: Message = { id, method, name, time: now(), judgement: undefined, incident: undefined }
        const messages = challenged.get(authInfo) ?? []
        challenged.set(authInfo, messages)
        messages.push(message)
        const needed = await runPromise(
          Effect.provideService(Authorize.challenge(policy, authInfo), Authorize.Judged, (judgement) => {
            message.judgement = judgement
          })
        )
        if (needed !== undefined) for (const each of messages) write(each, () => "refused")
        return needed
      },

    /** The messages of one server. */
    ofServer: () => {
      /** By the signal of the request, which stays the same for all of its rounds. */
      const open = new Map<AbortSignal, Message>()

      const begin = ({ http, mcpReq }: ServerContext, name: string): Message => {
        const { id, method, signal } = mcpReq
        const before = http?.authInfo && challenged.get(http.authInfo)?.find((message) => message.id === id)
        const judgement = before?.judgement
        const message: Message = { id, method, name, time: before?.time ?? now(), judgement, incident: undefined }
        const cancelled = () => {
          if (open.delete(signal)) write(message, () => "cancelled")
        }
        open.set(signal, message)
        if (signal.aborted) cancelled()
        else signal.addEventListener("abort", cancelled, { once: true })
        return message
      }

      return {
        /** Notes what the program that serves a message is judged, and the reference of its failure. */
        noting: (ctx: ServerContext, name: string) => {
          const message = open.get(ctx.mcpReq.signal) ?? begin(ctx, name)
          return <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
            program.pipe(
              Effect.provideService(Authorize.Judged, (judgement) => {
                message.judgement = judgement
              }),
              Effect.provideService(Incident.Told, (incident) => {
                message.incident = incident
              })
            )
        },
        /** Hears of each message that the server sends. */
        sent: (answer: JSONRPCMessage): void => {
          if (!Predicate.hasProperty(answer, "id") || "method" in answer) return
          for (const [signal, message] of open) {
            if (message.id !== answer.id) continue
            open.delete(signal)
            return write(message, (judgement) => outcomeOf(judgement, message.incident, answer))
          }
        }
      }
    }
  }
})
