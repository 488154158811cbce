import type * as Question from "../capability/Question.ts"

/** What a client sends back for one question, as it stands on the wire (MCP, elicitation, sampling, roots). */
export type Reply =
  | { readonly action: "accept"; readonly content: unknown }
  | { readonly action: "decline" | "cancel" }
  | {
      readonly role: "assistant"
      readonly model: string
      readonly content: { readonly type: "text"; readonly text: string }
    }
  | { readonly roots: ReadonlyArray<Question.Root> }

/** The person fills in the form and sends it. `content` is what the form's schema decodes. */
export const accept = (content: unknown): Reply => ({ action: "accept", content })

/** The person says no. */
export const decline: Reply = { action: "decline" }

/** The person closes the form without a choice. */
export const cancel: Reply = { action: "cancel" }

/** The client's model writes this (sampling). */
export const sampled = (text: string): Reply => ({
  role: "assistant",
  model: "a model of the tests",
  content: { type: "text", text }
})

/** The folders that the client works in (roots). */
export const roots = (...roots: ReadonlyArray<Question.Root>): Reply => ({ roots })
