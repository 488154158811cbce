import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

import { type ConfigurationError, type Declared, decodeFields, present } from "./ConfigurationError.ts"

/** The class of settings that a team declares, as `make` makes it. */
export interface SettingsClass<in Self> {
  /** Reads them from what the host hands over. Fails with every one that is missing or malformed. */
  readonly fromEnv: (env: Readonly<Record<string, unknown>>) => Effect.Effect<Context.Context<Self>, ConfigurationError>
}

/**
 * Settings and bindings of a team's own, decoded together with the server's: every one that is missing or malformed
 * stands on one page, by its name and the `description` of its schema. Tools read them as a service. A family of tools
 * declares those that it needs, and the definition of the server names each class (`settings`):
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
  ): Context.ServiceClass<Self, Id, A> & SettingsClass<Self> & { readonly schema: Declared<A> } =>
    class extends Context.Service<Self, A>()(id) {
      static readonly schema = schema
      static readonly fromEnv = (env: Readonly<Record<string, unknown>>) =>
        Effect.map(decodeFields(present(env), schema), (settings) => this.context(settings))
    }
