import * as Schema from "effect/Schema"
import { escapeHtml } from "../PageFrame.ts"

const Text = Schema.String
const change = <const Name extends string, Fields extends Schema.Struct.Fields>(name: Name, fields: Fields) =>
  Schema.Struct({ change: Schema.Literal(name), ...fields })

const member = { organization: Text, user: Text }

/** What the forms of the page post: the name of the change, and what it needs. */
export const DeveloperChange = Schema.Union([
  change("role", { user: Text, role: Text }),
  change("public-metadata", { user: Text, publicMetadata: Text }),
  change("ban", { user: Text }),
  change("unban", { user: Text }),
  change("lock", { user: Text }),
  change("unlock", { user: Text }),
  change("session-end", { session: Text }),
  change("session-organization", { session: Text, organization: Text }),
  change("member-add", { ...member, role: Text }),
  change("member-role", { ...member, role: Text }),
  change("member-remove", member),
  change("organization-create", { name: Text, slug: Text }),
  change("organization-rename", { organization: Text, name: Text, slug: Text }),
  change("organization-delete", { organization: Text }),
  change("role-create", { role: Text, permissions: Text }),
  change("role-permissions", { role: Text, permissions: Text })
])
export type DeveloperChange = typeof DeveloperChange.Type

/** A form for one change. `hidden` says of what; `fields` are HTML, the button's words text. */
export const form = (
  name: DeveloperChange["change"],
  hidden: Readonly<Record<string, string>>,
  button: string,
  fields = ""
): string =>
  `<form method="post" action="/">${Object.entries({ change: name, ...hidden })
    .map(([key, value]) => `<input type="hidden" name="${key}" value="${escapeHtml(value)}">`)
    .join("")}${fields}<button class="plain" type="submit">${escapeHtml(button)}</button></form>`

export const textField = (name: string, label: string, value: string, placeholder = ""): string =>
  `<label>${escapeHtml(label)} <input name="${name}" value="${escapeHtml(value)}" placeholder="${escapeHtml(
    placeholder
  )}" autocomplete="off"></label>`

export const textArea = (name: string, label: string, value: string): string =>
  `<label>${escapeHtml(label)} <textarea name="${name}" rows="3">${escapeHtml(value)}</textarea></label>`

/** `choices` are values and what a person reads. */
export const choiceField = (
  name: string,
  label: string,
  choices: ReadonlyArray<readonly [value: string, text: string]>,
  chosen = ""
): string =>
  `<label>${escapeHtml(label)} <select name="${name}">${choices
    .map(
      ([value, text]) =>
        `<option value="${escapeHtml(value)}"${value === chosen ? " selected" : ""}>${escapeHtml(text)}</option>`
    )
    .join("")}</select></label>`
