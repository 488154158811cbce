import type { ContentBlock } from "@modelcontextprotocol/server"
import type * as Prompt from "effect/ai/Prompt"
import * as Base64 from "effect/encoding/Base64"

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
