import { describe, expect, it } from "@effect/vitest"

import { type ClientBehaviour, behaviours, knownClients } from "../../src/server/clients/KnownClients.ts"

const server = { name: "example", address: "https://mcp.example.com/mcp" }

const setups = knownClients.map(({ title, setup }) => {
  const { steps, link, copy, next } = setup(server)
  return [
    `### ${title}`,
    steps,
    copy && `In ${copy.into}:\n\n\`\`\`${copy.text.startsWith("{") ? "json" : "sh"}\n${copy.text}\n\`\`\``,
    link && `Or open this link, which the server’s first page has too:\n\n\`\`\`\n${link}\n\`\`\``,
    next
  ]
    .filter((part) => part !== undefined)
    .join("\n\n")
})

const identity = ({ clientMetadataDocument, dynamicRegistration }: ClientBehaviour) =>
  [clientMetadataDocument && "metadata document", dynamicRegistration && "registration"].filter(Boolean).join(", else ")

const rows = knownClients.flatMap(({ id, title }) => {
  const behaviour = behaviours[id]
  if (behaviour === undefined) return []
  const { first, protocolVersion, redirectUris, habits = [] } = behaviour
  // A port that stands for any.
  const redirects = redirectUris?.(65_535).map((uri) => `\`${uri.replace("65535", "PORT")}\``) ?? []
  const cells = [
    title,
    `${first} ${protocolVersion ?? ""}`,
    identity(behaviour),
    redirects.join(", "),
    habits.join("; ")
  ]
  return [`| ${cells.map((cell) => cell.trim()).join(" | ")} |`]
})

const document = `# Clients

How each known client is connected, and how it behaves towards a server, as of November 2026. \`src/server/clients/KnownClients.ts\` says it, once for this page, for the server’s own first page and for \`clerk-mcp doctor\`; a test holds this page to it, and writes it anew with \`npx vitest run --project node test/readme/Clients.test.ts -u\`.

## Connect

Put your server’s address in place of \`${server.address}\`, and a name of your choice in place of \`${server.name}\`. Your server’s first page has all of this with its own address filled in. Whatever the client, it then opens a page of the server, on which you see who asks and decide what it may do, and you sign in.

${setups.join("\n\n")}

## Behaviour

The first request comes without a token and is answered 401 with the address of the metadata. A client with a metadata document names an address on the internet as its identity; others register. What is not known of a client is left out.

| client | first request, version | identity | waits for the code at | habits |
| --- | --- | --- | --- | --- |
${rows.join("\n")}

Clients look for metadata at the address of the challenge, else at \`/.well-known/oauth-protected-resource/mcp\`, then without \`/mcp\`, then at \`/.well-known/oauth-authorization-server\`; some at last at \`/.well-known/openid-configuration\`, which this server does not have. Clients on a person’s machine send no \`Origin\`; the pages of Claude and ChatGPT may call from the browser, which the server’s CORS answers allow.
`

describe("docs/clients.md", () => {
  it("says what is known of clients", async () => {
    await expect(document).toMatchFileSnapshot("../../docs/clients.md")
  })
})
