import * as Effect from "effect/Effect"

/**
 * Values to suggest for what a person has typed so far; `others` are the arguments that are already filled in. `R`: the
 * services that it needs.
 */
export type Completion<out R = never> = (
  typed: string,
  others: Readonly<Record<string, string>>
) => Effect.Effect<ReadonlyArray<string>, never, R>

/** Who suggests what, by the name of the argument. */
export type Completions<out R = never> = Readonly<Record<string, Completion<R> | undefined>>

/** Suggestions for some of these arguments, and for no other. */
export type CompletionsOf<Arguments, Complete> = Complete & {
  readonly [Name in keyof Arguments]?: Completion<unknown>
} & { readonly [Name in Exclude<keyof Complete, keyof Arguments>]: never }

/** The services that suggestions need. */
export type NeededBy<Complete> = {
  [Name in keyof Complete]: Complete[Name] extends Completion<infer R> ? R : never
}[keyof Complete]

/** Suggests those of the values that go on as typed, whatever the case. */
export const oneOf =
  (...values: ReadonlyArray<string>): Completion =>
  (typed) =>
    Effect.succeed(values.filter((value) => value.toLowerCase().startsWith(typed.toLowerCase())))
