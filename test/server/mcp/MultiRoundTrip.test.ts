import { assert, describe, it } from "@effect/vitest"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

import * as Policy from "../../../src/server/access/Policy.ts"
import { Catalogue } from "../../../src/server/mcp/Catalogue.ts"
import { Elicitation } from "../../../src/server/capability/Elicitation.ts"
import { principal, protocol, send, type Sent } from "../../support/Protocol.ts"

const Name = Schema.Struct({ name: Schema.String.check(Schema.isMaxCodePoints(20)) })

const asking = <const Name extends string>(name: Name) =>
  Tool.make(name, {
    description: "Asks two questions",
    parameters: Schema.Struct({ greeting: Schema.String, loud: Schema.optionalKey(Schema.Boolean) }),
    success: Schema.Struct({ text: Schema.String }),
    dependencies: [Elicitation]
  }).annotate(Policy.Required, Policy.signedIn)

const toolkit = Toolkit.make(asking("greet"), asking("other"))

const greet = Effect.fnUntraced(function* ({ greeting }: { readonly greeting: string }) {
  const first = yield* Elicitation.form("first", { message: "First name?", schema: Name })
  if (first._tag !== "Accepted") return { text: first._tag }
  const last = yield* Elicitation.form("last", { message: "Last name?", schema: Name })
  return { text: `${greeting} ${first.value.name} ${last._tag === "Accepted" ? last.value.name : last._tag}` }
})

const layer = protocol(Catalogue.layer(Catalogue.tools(toolkit, toolkit.toLayer({ greet, other: greet }))))

const accept = (name: unknown) => ({ action: "accept", content: { name } })

const call = (more: Readonly<Record<string, unknown>> = {}, sent?: Sent) =>
  send("tools/call", { name: "greet", arguments: { greeting: "Hello", loud: true }, ...more }, sent)

describe("a tool that asks", () => {
  it.effect("ends the round in its question, and goes on with every answer given so far", () =>
    Effect.gen(function* () {
      const one = (yield* call()).result
      assert.strictEqual(one.resultType, "input_required")
      assert.deepEqual(one.inputRequests.first.params, {
        mode: "form",
        message: "First name?",
        requestedSchema: {
          type: "object",
          properties: { name: { type: "string", maxLength: 20 } },
          required: ["name"]
        }
      })
      const two = (yield* call({ inputResponses: { first: accept("Ada") }, requestState: one.requestState })).result
      assert.deepEqual(Object.keys(two.inputRequests), ["last"])
      const three = yield* call({
        // The order of the arguments is the client's.
        arguments: { loud: true, greeting: "Hello" },
        inputResponses: { last: accept("Lovelace") },
        requestState: two.requestState
      })
      assert.deepEqual(three.result.structuredContent, { text: "Hello Ada Lovelace" })
    }).pipe(Effect.provide(layer))
  )

  it.effect("tells a no from a closed form, and asks again for what does not fit", () =>
    Effect.gen(function* () {
      const { requestState } = (yield* call()).result
      const answer = (first: unknown) =>
        Effect.map(call({ inputResponses: { first }, requestState }), (it) => it.result)
      assert.strictEqual((yield* answer({ action: "decline" })).structuredContent.text, "Declined")
      assert.strictEqual((yield* answer({ action: "cancel" })).structuredContent.text, "Cancelled")
      for (const misfit of [accept(7), accept("x".repeat(21)), { action: "accept" }, { action: "later" }, 7, null]) {
        assert.deepEqual(Object.keys((yield* answer(misfit)).inputRequests), ["first"])
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect("hears only what its state asked", () =>
    Effect.gen(function* () {
      const { requestState } = (yield* call()).result
      const inputResponses = { first: accept("Ada"), last: accept("Mallory") }
      assert.deepEqual(Object.keys((yield* call({ inputResponses, requestState })).result.inputRequests), ["last"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("refuses state that was changed, is another's, or is of another call", () =>
    Effect.gen(function* () {
      const state: string = (yield* call()).result.requestState
      const [id, claims = "", tag] = state.split(".")
      const answered = { inputResponses: { first: accept("Ada") }, requestState: state }
      const refused = {
        changed: yield* call({ ...answered, requestState: `${id}.${claims.slice(0, -2)}AA.${tag}` }),
        unsigned: yield* call({ ...answered, requestState: '{"replies":{}}' }),
        "of another user": yield* call(answered, { as: principal({ userId: "user_two" }) }),
        "of another client": yield* call(answered, { as: principal({ clientId: "another" }) }),
        "of another organization": yield* call(answered, { as: principal({ organizationId: "org_one" }) }),
        "of another tool": yield* call({ ...answered, name: "other" }),
        "of other arguments": yield* call({ ...answered, arguments: { greeting: "Bye" } })
      }
      for (const [why, { error }] of Object.entries(refused)) {
        assert.strictEqual(error?.code, -32602, why)
        assert.strictEqual(error.message, "Invalid or expired requestState", why)
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect("goes on when the client has signed in anew meanwhile", () =>
    Effect.gen(function* () {
      const { requestState } = (yield* call()).result
      const answered = { inputResponses: { first: accept("Ada") }, requestState }
      const { result } = yield* call(answered, { as: principal({ grantId: "grantTwo" }) })
      assert.deepEqual(Object.keys(result.inputRequests), ["last"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("refuses state after ten minutes", () =>
    Effect.gen(function* () {
      const { requestState } = (yield* call()).result
      yield* TestClock.adjust("9 minutes")
      const answered = { inputResponses: { first: accept("Ada") }, requestState }
      assert.isDefined((yield* call(answered)).result)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual((yield* call(answered)).error?.code, -32602)
    }).pipe(Effect.provide(layer))
  )

  it.effect("answers a client that cannot be asked with what it lacks", () =>
    Effect.gen(function* () {
      const { status, error } = yield* call({}, { capabilities: {} })
      assert.strictEqual(status, 400)
      assert.strictEqual(error.code, -32021)
      assert.property(error.data.requiredCapabilities, "elicitation")
    }).pipe(Effect.provide(layer))
  )
})
