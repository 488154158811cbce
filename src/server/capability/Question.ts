import * as Data from "effect/Data"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** What goes to the client: one of the protocol's three kinds of questions. */
export type InputRequest = Data.TaggedEnum<{
  /** A form for the person at the client (MCP, elicitation). `schema` encodes to a flat object of simple values. */
  Form: { readonly message: string; readonly schema: Schema.Constraint; readonly layout: Layout | undefined }
  /** A text from the client's model (MCP, sampling). */
  Sampling: { readonly prompt: string; readonly maxTokens: number }
  /** The folders that the client works in (MCP, roots). */
  Roots: {}
}>
export const InputRequest = Data.taggedEnum<InputRequest>()

/** A form as the protocol writes it, for what a schema cannot say, such as titles of choices. */
export interface Layout {
  readonly properties: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly required?: ReadonlyArray<string>
}

/** What a person did with a form. */
export type Answer<A> = Data.TaggedEnum<{
  Accepted: { readonly value: A }
  /** The person said no. */
  Declined: {}
  /** The person closed the form without a choice. */
  Cancelled: {}
}>
interface AnswerDefinition extends Data.TaggedEnum.WithGenerics<1> {
  readonly taggedEnum: Answer<this["A"]>
}
export const Answer = Data.taggedEnum<AnswerDefinition>()

/** A question whose answer is an `A`. `read` finds none in a reply of another shape, and the question stays open. */
export interface Question<out A> {
  readonly request: InputRequest
  readonly read: (reply: unknown) => Option.Option<A>
}

const Reply = Schema.Union([
  Schema.Struct({ action: Schema.Literal("accept"), content: Schema.Unknown }),
  Schema.Struct({ action: Schema.Literals(["decline", "cancel"]) })
])
const readReply = Schema.decodeUnknownOption(Reply)

/** Asks the person. What they accept is decoded with `schema`; values that do not fit are asked for again. */
export const form = <A, I>(options: {
  readonly message: string
  readonly schema: Schema.Codec<A, I>
  readonly layout?: Layout
}): Question<Answer<A>> => {
  const decode = Schema.decodeUnknownOption(options.schema)
  return {
    request: InputRequest.Form({ message: options.message, schema: options.schema, layout: options.layout }),
    read: (reply) =>
      Option.flatMap(readReply(reply), (known): Option.Option<Answer<A>> => {
        if (known.action === "accept") {
          return Option.map(decode(known.content), (value) => Answer.Accepted({ value }))
        }
        return Option.some(known.action === "decline" ? Answer.Declined() : Answer.Cancelled())
      })
  }
}

const Sampled = Schema.Struct({ content: Schema.Struct({ type: Schema.Literal("text"), text: Schema.String }) })
const readSampled = Schema.decodeUnknownOption(Sampled)

/** Asks the client's model for a text of at most `maxTokens` tokens. */
export const sample = (options: { readonly prompt: string; readonly maxTokens: number }): Question<string> => ({
  request: InputRequest.Sampling(options),
  read: (reply) => Option.map(readSampled(reply), ({ content }) => content.text)
})

const Listed = Schema.Struct({
  roots: Schema.Array(Schema.Struct({ uri: Schema.String, name: Schema.optionalKey(Schema.String) }))
})
export type Root = (typeof Listed.Type)["roots"][number]
const readListed = Schema.decodeUnknownOption(Listed)

/** Asks the client for the folders that it works in. */
export const roots: Question<ReadonlyArray<Root>> = {
  request: InputRequest.Roots(),
  read: (reply) => Option.map(readListed(reply), (listed) => listed.roots)
}
