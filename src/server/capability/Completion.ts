import * as Effect from "effect/Effect"

import type { CurrentUser } from "../access/CurrentUser.ts"
import type { CurrentPrincipal } from "../domain/Principal.ts"

/** Values to suggest for what a person has typed so far; `others` are the arguments that are already filled in. */
export type Completion = (
  typed: string,
  others: Readonly<Record<string, string>>
) => Effect.Effect<ReadonlyArray<string>, never, CurrentUser | CurrentPrincipal>

/** Who suggests what, by the name of the argument. */
export type Completions = Readonly<Record<string, Completion | undefined>>

/** Suggests those of the values that go on as typed, whatever the case. */
export const oneOf =
  (...values: ReadonlyArray<string>): Completion =>
  (typed) =>
    Effect.succeed(values.filter((value) => value.toLowerCase().startsWith(typed.toLowerCase())))
