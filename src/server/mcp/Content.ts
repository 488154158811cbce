import type { ContentBlock } from "@modelcontextprotocol/server"
import type * as Prompt from "effect/ai/Prompt"
import * as Base64 from "effect/encoding/Base64"
import * as Predicate from "effect/Predicate"
import * as Record from "effect/Record"

export const text = (text: string): ContentBlock => ({ type: "text", text })

/**
 * A part of what a tool or a prompt says, as the protocol writes it (MCP, tools, content types). A file that is neither
 * picture nor sound becomes an embedded resource; its name is its address where it is one.
 */
export const block = (part: Prompt.ToolModelOutputPart): ContentBlock => {
  if (part.type === "text") return text(part.text)
  const { mediaType: mimeType, fileName = "file" } = part
  const data = part.data instanceof Uint8Array ? Base64.encode(part.data) : String(part.data)
  if (mimeType.startsWith("image/")) return { type: "image", data, mimeType }
  if (mimeType.startsWith("audio/")) return { type: "audio", data, mimeType }
  const uri = URL.canParse(fileName) ? fileName : `content:${encodeURIComponent(fileName)}`
  return { type: "resource", resource: { uri, blob: data, mimeType } }
}

/** A failure's own words, or its fields as its schema encodes them, without what caused it. */
export const messageOf = (failure: unknown, encoded: unknown): string =>
  Predicate.hasProperty(failure, "message") && Predicate.isString(failure.message) && failure.message !== ""
    ? failure.message
    : JSON.stringify(withoutCauses(encoded) ?? {})

/** The fields that a client may see: what caused a failure is for the log. */
export const withoutCauses = (fields: unknown): unknown =>
  Array.isArray(fields)
    ? fields.map(withoutCauses)
    : Predicate.isObject(fields)
      ? Record.map(
          Record.filter(fields, (_, key) => key !== "cause"),
          withoutCauses
        )
      : fields
