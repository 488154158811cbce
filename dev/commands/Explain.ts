import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

import { Origin } from "../../src/server/config/AppConfig.ts"
import { keysOf, operatorToken } from "../OperatorKeys.ts"

class NotExplained extends Schema.TaggedError<NotExplained>()("NotExplained", { message: Schema.String }) {
  override get [CliError.userMessage](): string {
    return this.message
  }
}

const decodeOrigin = Schema.decodeUnknownOption(Origin)
const decodeAnswer = Schema.decodeUnknownEffect(Schema.Struct({ words: Schema.String }))

const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)

/** Asks a server whether a user may use something, or how a decision went. */
export const explain = Command.make(
  "explain",
  {
    url: Flag.String("url").pipe(
      Flag.withDescription("Address of the server, as its PUBLIC_URL says"),
      Flag.filterMap(
        (address) => Option.map(decodeOrigin(address), ({ origin }) => origin),
        (address) => `"${address}" is no address without a path`
      ),
      Flag.withDefault("http://localhost:8788")
    ),
    user: Flag.String("user").pipe(Flag.withDescription("Clerk's id of the user, user_...")),
    tool: text("tool", "Name of a tool"),
    resource: text("resource", "Name of a resource or template"),
    prompt: text("prompt", "Name of a prompt"),
    reference: text("reference", "A reference of the log, or that a client was told")
  },
  Effect.fnUntraced(function* ({ url, ...asked }) {
    const params = Object.entries({ ...asked, user: Option.some(asked.user) }).flatMap(([name, value]) =>
      Option.isSome(value) ? [[name, value.value] as const] : []
    )
    const keys = yield* Effect.mapError(keysOf(url), (failure) => {
      const message = failure._tag === "NoKeys" ? failure[CliError.userMessage] : failure.message
      return new NotExplained({ message })
    })
    const token = yield* operatorToken(keys, url)
    const response = yield* HttpClientRequest.get(`${url}/operator/explain`).pipe(
      HttpClientRequest.setUrlParams(params),
      HttpClientRequest.bearerToken(token),
      HttpClientRequest.acceptJson,
      HttpClient.execute,
      Effect.mapError(
        () => new NotExplained({ message: `No server answers at ${url}. Name the address of yours with --url.` })
      )
    )
    if (response.status === 401) {
      const message = `The server at ${url} does not take this machine's key for its own, or runs under another address.`
      return yield* new NotExplained({ message })
    }
    const { words } = yield* Effect.flatMap(response.json, decodeAnswer).pipe(
      Effect.mapError(() => new NotExplained({ message: `The server at ${url} answered ${response.status}.` }))
    )
    if (response.status !== 200) return yield* new NotExplained({ message: words })
    yield* Console.log(words)
  })
).pipe(
  Command.withDescription(
    "Ask a server whether a user may use a tool, resource or prompt, and what lacks, or how a decision went. For operators: " +
      "the command signs with STATE_SIGNING_KEYS of the environment or of .dev.vars, or with the key of clerk-mcp start."
  ),
  Command.withShortDescription("Say why a user may or may not use something")
)
