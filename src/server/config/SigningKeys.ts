import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"

/** One key of the ring. At least 32 bytes, the output length of SHA-256 (RFC 2104, section 3). */
const SigningKey = Schema.Struct({
  id: Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{1,16}$/u)),
  secret: Schema.Redacted(Schema.Uint8Array.check(Schema.makeFilter((bytes: Uint8Array) => bytes.length >= 32)))
})
export type SigningKey = typeof SigningKey.Type

const readKey = (entry: string) => {
  const separator = Math.max(entry.indexOf(":"), 0)
  return Schema.decodeEffect(Schema.Uint8ArrayFromBase64)(entry.slice(separator + 1).trim()).pipe(
    Effect.mapBoth({
      onFailure: (error) => error.issue,
      onSuccess: (bytes) => ({ id: entry.slice(0, separator).trim(), secret: Redacted.make(bytes) })
    })
  )
}

/** A key ring written `id:base64,id:base64,...`. The first key signs, all of them verify. */
export const SigningKeys = Schema.String.pipe(
  Schema.decodeTo(
    Schema.NonEmptyArray(SigningKey).check(
      Schema.makeFilter((keys: ReadonlyArray<SigningKey>) => new Set(keys.map(({ id }) => id)).size === keys.length)
    ),
    {
      decode: SchemaGetter.transformEffect((text: string) => {
        const [first = "", ...more] = text.split(",")
        return Effect.all([readKey(first), ...more.map(readKey)])
      }),
      encode: SchemaGetter.forbidden(() => "signing keys are only read")
    }
  )
)
