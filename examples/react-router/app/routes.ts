import { index, route, type RouteConfig } from "@react-router/dev/routes"

export default [
  index("routes/home.tsx"),
  route("sign-out", "routes/sign-out.tsx"),
  route("auth/mcp", "routes/auth.mcp.tsx"),
  route("api/me", "routes/api.me.tsx"),
  route("api/users", "routes/api.users.tsx")
] satisfies RouteConfig
