/** What a webhook is signed with in tests, as Svix writes it: 24 bytes. */
export const webhookSecret = `whsec_${Buffer.alloc(24, 5).toString("base64")}`

/** The base64 of the HMAC that Svix puts into `svix-signature`, after `v1,`. */
export const signatureOf = async (secret: string, text: string): Promise<string> => {
  const bytes = Buffer.from(secret.replace("whsec_", ""), "base64")
  const key = await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"])
  const signed = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(text))
  return Buffer.from(signed).toString("base64")
}

export interface Delivery {
  readonly id?: string
  /** In seconds since 1970; now, unless it is given. */
  readonly time?: number | string
  readonly secret?: string
  /** What the body is signed as, if not as what it is. */
  readonly signedAs?: string
  /** In place of the good ones; one that is undefined is left out. */
  readonly headers?: Readonly<Record<string, string | undefined>>
}

let deliveries = 0

/** An event of Clerk's as it stands on the wire, beside its `data`. */
export const eventOf = (type: string, data: object) => ({
  object: "event",
  type,
  data,
  instance_id: "ins_2g7np7Hrk0SN6kj5EDMLDaKNL0S",
  timestamp: 1_716_883_200,
  event_attributes: { http_request: { client_ip: "192.168.1.100", user_agent: "Mozilla/5.0" } }
})

/** The request by which Svix delivers an event: by itself one that is in order. */
export const delivery = async (
  event: unknown,
  { id = `msg_test${deliveries++}`, time, secret = webhookSecret, signedAs, headers = {} }: Delivery = {},
  origin = "https://mcp.example.com"
): Promise<Request> => {
  const body = typeof event === "string" ? event : JSON.stringify(event)
  const seconds = time ?? Math.floor(Date.now() / 1_000)
  const signature = `v1,${await signatureOf(secret, signedAs ?? `${id}.${seconds}.${body}`)}`
  const sent = new Headers({
    "content-type": "application/json",
    "svix-id": id,
    "svix-timestamp": String(seconds),
    "svix-signature": signature
  })
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) sent.delete(name)
    else sent.set(name, value)
  }
  return new Request(new URL("/webhooks/clerk", origin), { method: "POST", headers: sent, body })
}
