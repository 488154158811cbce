import * as Policy from "../access/Policy.ts"
import { isLimit } from "../capability/CallLimit.ts"
import type { Scope } from "../domain/Scope.ts"
import type { Catalogue } from "./Catalogue.ts"

/** The names that tools may have (MCP 2025-11-25, tools, tool names). */
const isToolName = (name: string): boolean => /^[\w.-]{1,128}$/u.test(name)

const twice = (kind: string, names: ReadonlyArray<string>): ReadonlyArray<string> =>
  [...new Set(names.filter((name, at) => names.indexOf(name) !== at))].map(
    (name) => `There are two ${kind} of the name ${name}. Each needs a name of its own.`
  )

/** What is wrong with a catalogue, in sentences that name the part. `scopes`: what the server can grant. */
export const faultsOf = (
  { tools, resources, templates, prompts }: Catalogue["Service"],
  scopes: ReadonlySet<Scope>
): ReadonlyArray<string> => {
  const named = [
    ...tools.map(({ listed, policy }) => ({ part: `The tool ${listed.name}`, policy })),
    ...resources.map(({ listed, policy }) => ({ part: `The resource ${listed.uri}`, policy })),
    ...templates.map(({ listed, policy }) => ({ part: `The resource template ${listed.uriTemplate}`, policy })),
    ...prompts.map(({ listed, policy }) => ({ part: `The prompt ${listed.name}`, policy }))
  ]
  return [
    ...tools.flatMap(({ listed: { name } }) =>
      isToolName(name) ? [] : [`${name} cannot be the name of a tool: 1 to 128 letters, digits, "_", "-" and "." can.`]
    ),
    ...tools.flatMap(({ listed: { name }, callLimit }) =>
      callLimit === undefined || isLimit(callLimit)
        ? []
        : [`The CallLimit of the tool ${name} cannot be kept: it takes 1 to 1000 calls in 1 to 86400 seconds.`]
    ),
    ...twice(
      "tools",
      tools.map(({ listed }) => listed.name)
    ),
    ...twice(
      "resources",
      resources.map(({ listed }) => listed.uri)
    ),
    ...twice(
      "resource templates",
      templates.map(({ listed }) => listed.name)
    ),
    ...twice(
      "prompts",
      prompts.map(({ listed }) => listed.name)
    ),
    ...named.flatMap(({ part, policy }) =>
      Policy.scopesOf(policy)
        .filter((scope) => !scopes.has(scope))
        .map((scope) => `${part} needs the scope ${scope}, which the server does not have. Name it in scopes.`)
    )
  ]
}
