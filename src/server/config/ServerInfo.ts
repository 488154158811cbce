import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { baseline, type Scope } from "../domain/Scope.ts"
import { AppConfig } from "./AppConfig.ts"

/** A picture of the server: an `https:` or `data:` address, its media type, and its sizes, such as `48x48` or `any`. */
export interface ServerIcon {
  readonly src: string
  readonly mimeType?: string
  readonly sizes?: Array<string>
  readonly theme?: "light" | "dark"
}

/** How the pages look that people meet, and where they get help. */
export interface Brand {
  /** Whose server this is, as people know it; the server's title unless it is set. */
  readonly name?: string
  /** The colour of buttons, links and focus, as `#rrggbb`; `accentDark` takes its place in dark mode. */
  readonly accent?: string
  readonly accentDark?: string
  /** A picture in the page's head, as a `data:image/...` address: pages fetch nothing. */
  readonly logo?: string
  /** Where people get help, at the foot of every page: an e-mail address, or an `https:` address. */
  readonly support?: string
}

/** What a team says of its server. */
export interface ServerDescription {
  /** The name by which programs know the server: letters, digits and hyphens (MCP, `Implementation.name`). */
  readonly name: string
  /** The name that people read. */
  readonly title: string
  readonly version: string
  /** What the server is for, in a sentence, for people and for clients (MCP, `Implementation.description`). */
  readonly description?: string
  /** What a model should know before it uses the tools (MCP, `instructions`). */
  readonly instructions?: string
  /** Pictures for clients to show beside the name (MCP, icons); the one of the pages, at `/favicon.svg`, unless set. */
  readonly icons?: ReadonlyArray<ServerIcon>
  /** Where people read about the server (MCP, `Implementation.websiteUrl`); its own first page unless it is set. */
  readonly websiteUrl?: string
  /** Whether the first page tells everybody which tools there are and whom they are for; unless it is false. */
  readonly publicTools?: boolean
  /** How the pages look that people meet, and where they get help. */
  readonly brand?: Brand
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

/** A server cannot be served as its team's code defines it. Names every fault at once. */
export class DefinitionError extends Schema.TaggedError<DefinitionError>()("DefinitionError", {
  faults: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return this.faults.join("; ")
  }
}

const isColour = Schema.is(Schema.String.check(Schema.isPattern(/^#[0-9a-f]{6}$/iu)))
const isSupport = Schema.is(Schema.String.check(Schema.isPattern(/^(?:https:\/\/[^\s]+|[^\s@:]+@[^\s@]+)$/u)))
const isWebsite = Schema.is(Schema.String.check(Schema.isPattern(/^https:\/\/[^\s]+$/u)))
const isScope = Schema.is(Schema.String.check(Schema.isPattern(/^[\x21\x23-\x5b\x5d-\x7e]+$/u)))

/** What is wrong with a brand, in sentences that name the part. */
export const brandFaults = ({ accent, accentDark, logo, support }: Brand): ReadonlyArray<string> => [
  ...Object.entries({ accent, accentDark }).flatMap(([part, colour]) =>
    colour === undefined || isColour(colour) ? [] : [`brand.${part} is written as #rrggbb.`]
  ),
  ...(logo === undefined || logo.startsWith("data:image/") ? [] : ["brand.logo is a data:image/ address."]),
  ...(support === undefined || isSupport(support) ? [] : ["brand.support is an e-mail address or an https: address."])
]

/** What is wrong with a description, in sentences that name the part. */
export const faultsOf = ({
  name,
  scopes,
  appScopes = {},
  brand = {},
  websiteUrl
}: ServerDescription): ReadonlyArray<string> => [
  ...(/^[\w.-]{1,64}$/u.test(name) ? [] : ['name has 1 to 64 letters, digits, "_", "-" and ".".']),
  ...(websiteUrl === undefined || isWebsite(websiteUrl) ? [] : ["websiteUrl is an https: address."]),
  // RFC 6749, section 3.3.
  ...Object.keys({ ...scopes, ...appScopes }).flatMap((scope) =>
    isScope(scope) ? [] : [`The scope ${JSON.stringify(scope)} may hold no space, quotation mark or backslash.`]
  ),
  ...brandFaults(brand)
]

/** What the server is called, and what it can grant: nothing outside these scopes is ever granted. */
export class ServerInfo extends Context.Service<
  ServerInfo,
  Omit<ServerDescription, "scopes" | "appScopes" | "icons" | "websiteUrl"> & {
    readonly icons: ReadonlyArray<ServerIcon>
    readonly websiteUrl: string
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
      Effect.map(AppConfig, ({ APP_URL: appUrl, PUBLIC_URL: { href } }) => {
        const granted = { [baseline]: baselineSentence, ...scopes, ...(appUrl !== undefined && appScopes) }
        const icons = [{ src: `${href}favicon.svg`, mimeType: "image/svg+xml", sizes: ["any"] }]
        return ServerInfo.of({ icons, websiteUrl: href, ...described, scopes: new Map(Object.entries(granted)) })
      })
    )
}
