import * as CliError from "effect/cli/CliError"
import * as Schema from "effect/Schema"

/** A command cannot go on: what is wrong, and what to do next. Holds no secret. What was done before it stays done. */
export class Stopped extends Schema.TaggedError<Stopped>()("Stopped", {
  problem: Schema.String,
  next: Schema.String
}) {
  override get message(): string {
    return `${this.problem}\nNext: ${this.next}`
  }
  override get [CliError.userMessage](): string {
    return this.message
  }
}
