/** The editor's page. */

import { openPage } from "../shell/start/page.js";
import { openWorkspace } from "./diagram/workspace.js";

openPage({ main: document.querySelector("main"), openWorkspace });
