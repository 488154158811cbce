import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Directory } from "./Directory.ts"
import { escapeHtml } from "./PageFrame.ts"

export const avatarUrl = (origin: string, userId: string): string => `${origin}/_stand-in/avatars/${userId}.svg`

const drawing = (initials: string, hue: number): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="96" height="96" viewBox="0 0 96 96" role="img" aria-label="${initials}">` +
  `<rect width="96" height="96" rx="48" fill="hsl(${hue} 45% 40%)"/>` +
  `<text x="48" y="58" font-family="sans-serif" font-size="32" fill="#fff" text-anchor="middle">${initials}</text></svg>`

/** A user's picture: initials on a colour that follows from the id. */
export const avatarRoute = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const directory = yield* Directory
    yield* router.add(
      "GET",
      "/_stand-in/avatars/:file",
      Effect.gen(function* () {
        const { file } = yield* HttpRouter.schemaPathParams(Schema.Struct({ file: Schema.String }))
        const user = yield* directory.find(file.replace(/\.svg$/, ""))
        if (Option.isNone(user)) return HttpServerResponse.empty({ status: 404 })
        const initials = `${user.value.firstName?.[0] ?? ""}${user.value.lastName?.[0] ?? ""}`
        const hue = Array.from(user.value.id).reduce((sum, character) => sum + (character.codePointAt(0) ?? 0), 0) % 360
        return HttpServerResponse.text(drawing(escapeHtml(initials), hue), { contentType: "image/svg+xml" })
      }).pipe(Effect.orDie)
    )
  })
)
