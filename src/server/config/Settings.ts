import * as Context from "effect/Context"
import type * as Schema from "effect/Schema"

/** A struct of settings, whose fields carry the words for what is missing. */
export type Declared<A> = Schema.Decoder<A> & { readonly fields: Readonly<Record<string, Schema.Constraint>> }

/** The class of a team's settings, as `make` makes it: the key of a service, and the schema of what it holds. */
export interface SettingsClass<Self, A> {
  readonly context: (settings: A) => Context.Context<Self>
  readonly schema: Declared<A>
}

/**
 * Settings and bindings of a team's own, decoded together with the server's: every one that is missing or malformed
 * stands on one page, by its name and the `description` of its schema. Tools read them as a service:
 *
 *     class AcmeSettings extends Settings.make<AcmeSettings>()("acme/Settings", Schema.Struct({ ... })) {}
 *
 * Fields decode what the host hands over: texts, and bindings as they are. A filter on the struct may name the field
 * at fault by its path.
 */
export const make =
  <Self>() =>
  <const Id extends string, A>(
    id: Id,
    schema: Declared<A>
  ): Context.ServiceClass<Self, Id, A> & { readonly schema: Declared<A> } =>
    class extends Context.Service<Self, A>()(id) {
      static readonly schema = schema
    }
