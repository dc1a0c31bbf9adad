/** The page without a build step: sign in, choose a diagram, draw. Its address with `#/<threat model>/<diagram>` is the link to share. */

import { h, toast } from "../shell/dom.js";
import { openShelf } from "../shell/shelf.js";
import { openSignIn, redeemed } from "../shell/signin.js";
import { openWorkspace } from "./workspace.js";
import { Rest } from "../sdk/rest.js";

// Of this window alone, so that two windows can be two people.
const TOKENS = "codraw.tokens";
const main = document.querySelector("main");

const rest = new Rest({
  tokens: JSON.parse(sessionStorage.getItem(TOKENS) ?? "null"),
  keep: (tokens) =>
    tokens ? sessionStorage.setItem(TOKENS, JSON.stringify(tokens)) : sessionStorage.removeItem(TOKENS),
});

let workspace = null;
let shown = "";

function placeInAddress() {
  const [, threatModelId, diagramId] = /^#\/([0-9a-f-]{36})\/([0-9a-f-]{36})$/i.exec(location.hash) ?? [];
  return threatModelId ? { threatModelId, diagramId } : null;
}

function go(threatModelId, diagramId) {
  location.hash = threatModelId ? `#/${threatModelId}/${diagramId}` : "";
}

async function show() {
  const place = placeInAddress();
  const providers = await rest.providers();
  const isDevelopment = providers.some(({ id }) => id === "test");
  if (!rest.isSignedIn) {
    openSignIn({ main, rest, providers, isJoining: place !== null, signedIn: retry });
  } else if (place) {
    workspace = await openWorkspace({ main, rest, place, onLeave: () => go() });
  } else {
    await openShelf({ main, rest, me: await rest.me(), isDevelopment, go, signOut });
  }
  shown = location.hash;
}

async function signOut() {
  await rest.signOut();
  retry();
}

async function changed() {
  if (location.hash === shown) return;
  if (workspace && !(await workspace.leave())) return history.replaceState(null, "", shown);
  workspace = null;
  retry();
}

function retry() {
  show().catch((error) => {
    if (error.status === 401 && rest.isSignedIn) rest.forget();
    if (error.status === 401) return retry();
    const why =
      { 403: "You have no access to this diagram.", 404: "There is no such diagram." }[error.status] ?? error.message;
    main.replaceChildren(
      h(
        "div",
        { class: "welcome" },
        h(
          "section",
          { class: "card" },
          h("h1", { class: "brand" }, "codraw"),
          h("p", { class: "lead" }, why),
          h(
            "div",
            { class: "row" },
            h("button", { class: "primary", type: "button", onclick: retry }, "Try again"),
            h("a", { class: "button", href: "#" }, "All diagrams"),
          ),
        ),
      ),
    );
    shown = location.hash;
  });
}

addEventListener("hashchange", changed);
redeemed(rest)
  .catch((error) => toast(error.message, "bad"))
  .then(retry);
