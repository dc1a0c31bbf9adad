/** Signing in: by any name on a development server, else by a provider (authorization code with PKCE, RFC 7636). */

import { sha256 } from "../../sdk/statehash.js";
import { h, s } from "../dom.js";
import { keep, kept } from "../kept.js";
import { themeSwitch } from "../theme.js";
import { PageError, problemOf } from "./words.js";

const STARTED = "codraw.signin";
const BACK = "/"; // the one page of ours that servers allow providers to send people back to

/** Shows the form; `signedIn` is called once tokens are there. */
export function openSignIn({ main, rest, providers, isJoining, signedIn }) {
  const others = providers.filter(({ id }) => id !== "test" && id !== "tmi");
  const isDevelopment = others.length < providers.length;
  const problem = h("p", { class: "problem", role: "alert" });
  const name = h("input", {
    name: "name",
    required: true,
    maxlength: 64,
    autocomplete: "nickname",
    placeholder: "alice",
  });
  const button = h("button", { class: "primary", id: "sign-in" }, isJoining ? "Join" : "Start");
  const tried = async (act, ...pressed) => {
    problem.textContent = "";
    for (const one of pressed) one.disabled = true;
    try {
      await act();
    } catch (error) {
      problem.textContent = problemOf(error);
      for (const one of pressed) one.disabled = false;
    }
  };
  const signIn = async () => {
    await rest.signInAs(name.value.trim());
    signedIn();
  };
  document.title = "codraw";
  main.replaceChildren(
    h(
      "div",
      { class: "welcome" },
      h("div", { class: "corner" }, themeSwitch()),
      picture(),
      h(
        "section",
        { class: "card" },
        h("h1", { class: "brand" }, "codraw"),
        h(
          "p",
          { class: "lead" },
          isJoining ? "Somebody shares a live diagram with you." : "Diagrams drawn together, live, on your own server.",
        ),
        isDevelopment &&
          h(
            "form",
            { onsubmit: (event) => (event.preventDefault(), tried(signIn, button)) },
            h("label", h("span", "Your name"), name),
            button,
          ),
        others.map((provider) => {
          const leave = h("button", { class: "wide provider", type: "button" }, mark(provider), `Sign in with ${provider.name}`);
          // Not disabled: whoever turns back at the provider, or stops on the way, finds this page as it was left.
          leave.addEventListener("click", () => tried(() => leaveFor(provider)));
          return leave;
        }),
        providers.length === 0 && h("p", "Nobody can sign in here yet: this server has no sign-in provider."),
        problem,
        isDevelopment &&
          h(
            "p",
            { class: "hint" },
            "This is a development server: any name will do. Open a second window and sign in under another name " +
              "to see two people draw.",
          ),
      ),
    ),
  );
  if (isDevelopment) name.focus();
  else main.querySelector(".provider")?.focus();
}

/** Only a picture of this server's own: the page shows no others. */
function mark({ icon }) {
  return /^\/(?![/\\])/.test(icon) && h("img", { src: icon, alt: "", width: 18, height: 18 });
}

/** What it is all about: two people, one drawing. */
function picture() {
  const person = (name, x, y, colour) => {
    const cursor = s(
      "g",
      { class: "cursor", transform: `translate(${x} ${y})` },
      s("path", { d: "M0 0l5 14 3.2-5.6L14 6z" }),
      s("rect", { x: 12, y: 12, width: name.length * 7.4 + 15, height: 20, rx: 6 }),
      s("text", { x: 19, y: 26 }, name),
    );
    cursor.style.setProperty("--who", colour);
    return cursor;
  };
  const node = (shape, x, y, ...parts) => s("g", { class: shape, transform: `translate(${x} ${y})` }, parts);
  const label = (text) => s("text", { class: "caption", x: 60, y: 41 }, text);
  const flow = (line, arrow) => s("g", s("path", { class: "line", d: line }), s("path", { class: "arrow", d: arrow }));
  return s(
    "svg",
    { class: "picture miniature", viewBox: "0 0 440 330", "aria-hidden": "true" },
    s("rect", { class: "security-boundary", x: 176, y: 30, width: 244, height: 270, rx: 14 }),
    node("actor", 16, 64, s("rect", { width: 120, height: 72, rx: 3 }), label("Customer")),
    node("process", 240, 56, s("ellipse", { cx: 60, cy: 36, rx: 60, ry: 36 }), label("Shop")),
    node("store", 240, 208, s("rect", { width: 120, height: 64 }), label("Orders")),
    flow("M136 94Q186 74 232 88", "M240 92L229 92L233 83Z"),
    flow("M304 128Q316 164 305 198", "M302 208L302 196L311 200Z"),
    person("alice", 330, 110, "#7048e8"),
    person("bob", 92, 144, "#d9480f"),
  );
}

/** The way to a provider, and what is needed to come back to where one was. */
async function leaveFor({ auth_url, client_id }) {
  const [state, verifier] = [random(), random() + random()];
  const redirectUri = location.origin + BACK;
  const place = location.pathname + location.hash;
  if (!keep(STARTED, { state, verifier, redirectUri, place })) {
    throw new PageError("This browser keeps nothing for this page. Allow it cookies and site data to sign in.");
  }
  const address = new URL(auth_url, location.href);
  const query = {
    response_type: "code",
    client_id: client_id ?? "codraw",
    redirect_uri: redirectUri,
    state,
    // Not WebCrypto's: a page on plain http has none.
    code_challenge: base64url(bytesOf(sha256(new TextEncoder().encode(verifier)))),
    code_challenge_method: "S256",
  };
  for (const [key, value] of Object.entries(query)) address.searchParams.set(key, value);
  location.assign(address);
}

/** Back from a provider with a code: redeems it, and goes back to where the sign-in began. Returns whether that was so. */
export async function redeemed(rest) {
  const query = new URLSearchParams(location.search);
  const started = kept(STARTED);
  const isOver = query.get("sign-in") === "over"; // the server no longer knows which one that was
  if (!isOver && (!started || query.get("state") !== started.state)) return false;
  keep(STARTED, null);
  const place = started?.place ?? location.pathname;
  const stays = place.split("#")[0] === location.pathname;
  history.replaceState(null, "", stays ? place : location.pathname);
  if (isOver && rest.isSignedIn) return false;
  if (isOver) throw new Error("That sign-in took too long, or was done already. Please sign in again.");
  if (query.has("error")) throw new Error(query.get("error_description") ?? query.get("error"));
  await rest.signInWith({ code: query.get("code"), verifier: started.verifier, redirectUri: started.redirectUri });
  if (!stays) location.replace(place);
  return true;
}

function bytesOf(words) {
  const view = new DataView(new ArrayBuffer(4 * words.length));
  words.forEach((word, index) => view.setUint32(4 * index, word));
  return new Uint8Array(view.buffer);
}

const random = () => base64url(crypto.getRandomValues(new Uint8Array(24)));
const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");
