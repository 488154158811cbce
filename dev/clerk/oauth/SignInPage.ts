import type { ClerkUser } from "../Directory.ts"
import { escapeHtml, pageFrame } from "../PageFrame.ts"

const listed = (user: ClerkUser): string => {
  const role = user.publicMetadata["role"]
  const standing = user.banned
    ? "banned"
    : user.locked
      ? "locked"
      : role === undefined
        ? "no role"
        : `role ${typeof role === "string" ? role : JSON.stringify(role)}`
  return `<li><code>${escapeHtml(user.email)}</code> <bdi>${escapeHtml(
    `${user.firstName ?? ""} ${user.lastName ?? ""}`.trim()
  )}</bdi> (${escapeHtml(standing)})</li>`
}

/** The sign-in form: one field `email`; the button named `cancel` refuses the request. */
export const signInPage = (options: {
  readonly applicationName: string
  readonly users: ReadonlyArray<ClerkUser>
  readonly email: string
  readonly error?: string
}): string =>
  pageFrame(
    options.error === undefined ? "Sign in (local Clerk stand-in)" : "Error: sign in (local Clerk stand-in)",
    `<h1>Sign in</h1>
<p class="notice">Local Clerk stand-in: for development only. There are no passwords here.</p>
<p><bdi><strong>${escapeHtml(options.applicationName)}</strong></bdi> asks who you are.</p>
${options.error === undefined ? "" : `<p class="error" id="email-error" role="alert">${escapeHtml(options.error)}</p>`}
<form method="post">
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" autocomplete="username" autofocus required value="${escapeHtml(
      options.email
    )}"${options.error === undefined ? "" : ' aria-invalid="true" aria-describedby="email-error"'}>
<button class="primary" type="submit">Sign in</button>
<button class="plain" type="submit" name="cancel" value="true" formnovalidate>Cancel</button>
</form>
<h2>Demo users</h2>
<ul>
${options.users.map(listed).join("\n")}
</ul>`
  )
