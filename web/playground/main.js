/** The page without a build step. */

import { h } from "../shell/dom.js";
import { openPage } from "../shell/start/page.js";
import { openWorkspace } from "./workspace.js";

const main = document.querySelector("main");

/** At the editor's own address this page stands in for it. */
function sayUnbuilt() {
  const words = ["The editor is not built, this is the small page: ", h("code", "make web"), " builds it."];
  main.before(h("p", { class: "unbuilt" }, words));
}

if (location.pathname === "/") sayUnbuilt();
openPage({ main, openWorkspace });
