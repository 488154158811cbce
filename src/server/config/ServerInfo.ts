import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { baseline, type Scope } from "../domain/Scope.ts"
import { AppConfig } from "./AppConfig.ts"

/** What a team says of its server. */
export interface ServerDescription {
  /** The name by which programs know the server: letters, digits and hyphens (MCP, `Implementation.name`). */
  readonly name: string
  /** The name that people read. */
  readonly title: string
  readonly version: string
  /** What a model should know before it uses the tools (MCP, `instructions`). */
  readonly instructions?: string
  /**
   * The scopes that can be granted, in the order of the consent page, each with the sentence that stands there. The
   * baseline, `mcp:tools`, is always granted and comes first.
   */
  readonly scopes: Readonly<Record<Scope, string>>
  /** Further scopes of a server that has an app behind it (`APP_URL`). */
  readonly appScopes?: Readonly<Record<Scope, string>>
}

/** What the consent page says of the baseline where a team says nothing else. */
const baselineSentence =
  "Use this server’s tools in your name, and see the name, e‑mail address and role of your account"

/** What the server is called, and what it can grant: nothing outside these scopes is ever granted. */
export class ServerInfo extends Context.Service<
  ServerInfo,
  Omit<ServerDescription, "scopes" | "appScopes"> & {
    /** Each scope with its sentence for the consent page, the baseline first. */
    readonly scopes: ReadonlyMap<Scope, string>
  }
>()("config/ServerInfo") {
  static readonly layer = ({
    scopes,
    appScopes,
    ...described
  }: ServerDescription): Layer.Layer<ServerInfo, never, AppConfig> =>
    Layer.effect(
      ServerInfo,
      Effect.map(AppConfig, ({ APP_URL: appUrl }) => {
        const granted = { [baseline]: baselineSentence, ...scopes, ...(appUrl !== undefined && appScopes) }
        return ServerInfo.of({ ...described, scopes: new Map(Object.entries(granted)) })
      })
    )
}
