import { Links, Meta, Outlet, Scripts, ScrollRestoration } from "react-router"

const App = () => (
  <html lang="en">
    <head>
      <meta charSet="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <title>Example application</title>
      <Meta />
      <Links />
    </head>
    <body>
      <main>
        <Outlet />
      </main>
      <ScrollRestoration />
      <Scripts />
    </body>
  </html>
)

export default App
