import * as Layer from "effect/Layer"

import { Catalogue } from "../server/index.ts"
import * as Account from "./Account.ts"
import * as AppAccounts from "./AppAccounts.ts"
import * as Arithmetic from "./Arithmetic.ts"
import { ImageGenerator } from "./ImageGenerator.ts"
import * as Images from "./Images.ts"
import * as Reports from "./Reports.ts"
import * as SignOut from "./SignOut.ts"

/** Everything that clients can use. A new family of tools is one more file, and one more line here. */
export const catalogue = Catalogue.layer(
  Catalogue.tools(Arithmetic.toolkit, Arithmetic.layer),
  Catalogue.tools(Account.toolkit, Account.layer),
  Account.me,
  Account.introduceMe,
  Catalogue.tools(Images.toolkit, Images.layer),
  Catalogue.tools(SignOut.toolkit, SignOut.layer),
  Catalogue.tools(Reports.toolkit, Reports.layer),
  Catalogue.whenApp(Catalogue.tools(AppAccounts.toolkit, AppAccounts.layer))
).pipe(Layer.provide([ImageGenerator.layer, Reports.Reports.layer]))
