import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"

/**
 * Every scope that this server can grant, with the sentence that the consent page shows for it.
 * Nothing outside this list is ever granted.
 */
export const catalogue = {
  "mcp:tools": "Use this server’s tools in your name, and see the name, e‑mail address and role of your account",
  "images:generate": "Generate images in your name",
  "app:read": "Read in the app behind this server what you may read there",
  "connections:manage": "Sign out other apps that you have connected to this server"
} as const

export const Scope = Schema.Literals(Struct.keys(catalogue))
export type Scope = typeof Scope.Type

/** The scope that every client needs, and the only one that a challenge asks for unprompted. */
export const baseline: Scope = "mcp:tools"

/** The whole catalogue, in the order in which the consent page lists it. */
export const all: ReadonlyArray<Scope> = Scope.literals

/** What a server grants, with an app behind it or without. */
export const granted = ({ app }: { readonly app: boolean }): ReadonlyArray<Scope> =>
  app ? all : all.filter((scope) => scope !== "app:read")
