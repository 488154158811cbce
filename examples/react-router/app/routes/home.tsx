import { data, Form, type LoaderFunctionArgs, useLoaderData } from "react-router"
import { person, sessionOf, signInUrl } from "../mcp.server.ts"

/** The person who is signed in, or where to sign in. */
export const loader = async ({ request }: LoaderFunctionArgs) => {
  const session = await sessionOf(request)
  if (session.kind === "redirect") return session.response
  if (session.kind === "signed-in") {
    return data({ person: await person(session.userId), signInUrl: null }, { headers: session.headers })
  }
  return data({ person: null, signInUrl }, session.kind === "signed-out" ? { headers: session.headers } : {})
}

const Home = () => {
  const { person, signInUrl } = useLoaderData<typeof loader>()
  if (person === null) {
    return (
      <>
        <h1>Example application</h1>
        <p>You are not signed in.</p>
        <a href={signInUrl}>Sign in</a>
      </>
    )
  }
  return (
    <>
      <h1>Example application</h1>
      <p>
        You are signed in as{" "}
        <bdi>
          {person.firstName} {person.lastName}
        </bdi>{" "}
        (<bdi>{person.email}</bdi>), {person.role ?? "without a role"}.
      </p>
      <Form method="post" action="/sign-out" reloadDocument>
        <button type="submit">Sign out</button>
      </Form>
    </>
  )
}

export default Home
