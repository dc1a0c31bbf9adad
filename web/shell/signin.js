/** Signing in: by any name on a development server, else by a provider (authorization code with PKCE). */

import { h, s } from "./dom.js";

const STARTED = "codraw.signin";

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
  const signIn = async (event) => {
    event.preventDefault();
    try {
      await rest.signInAs(name.value.trim());
      signedIn();
    } catch (error) {
      problem.textContent = error.message;
    }
  };
  main.replaceChildren(
    h(
      "div",
      { class: "welcome" },
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
            { onsubmit: signIn },
            h("label", h("span", "Your name"), name),
            h("button", { class: "primary", id: "sign-in" }, isJoining ? "Join" : "Start"),
          ),
        others.map((provider) =>
          h(
            "button",
            { class: "wide", type: "button", onclick: () => leaveFor(provider) },
            `Sign in with ${provider.name}`,
          ),
        ),
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
  name.focus();
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
  const node = (shape, x, y, body, label) =>
    s("g", { class: `cell ${shape}`, transform: `translate(${x} ${y})` }, body, label);
  const label = (text) => s("text", { class: "label", x: 60, y: 41 }, text);
  const flow = (line, arrow) =>
    s("g", { class: "cell edge" }, s("path", { class: "line", d: line }), s("path", { class: "arrow", d: arrow }));
  return s(
    "svg",
    { class: "picture", viewBox: "0 0 440 330", "aria-hidden": "true" },
    node("security-boundary", 176, 30, s("rect", { class: "body", width: 244, height: 270, rx: 14 })),
    node("actor", 16, 64, s("rect", { class: "body", width: 120, height: 72, rx: 3 }), label("Customer")),
    node("process", 240, 56, s("ellipse", { class: "body", cx: 60, cy: 36, rx: 60, ry: 36 }), label("Shop")),
    node(
      "store",
      240,
      208,
      [s("rect", { class: "area", width: 120, height: 64 }), s("path", { class: "body", d: "M0 0H120M0 64H120" })],
      label("Orders"),
    ),
    flow("M136 94Q186 74 232 88", "M240 92L229 92L233 83Z"),
    flow("M304 128Q316 164 305 198", "M302 208L302 196L311 200Z"),
    person("alice", 330, 110, "#7048e8"),
    person("bob", 92, 144, "#d9480f"),
  );
}

/** The way to a provider, and what is needed to come back. */
async function leaveFor({ auth_url, client_id }) {
  const [state, verifier] = [random(), random() + random()];
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const redirectUri = location.origin + location.pathname;
  sessionStorage.setItem(STARTED, JSON.stringify({ state, verifier, redirectUri, hash: location.hash }));
  const address = new URL(auth_url, location.href);
  const query = {
    response_type: "code",
    client_id: client_id ?? "codraw",
    redirect_uri: redirectUri,
    state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: "S256",
  };
  for (const [key, value] of Object.entries(query)) address.searchParams.set(key, value);
  location.assign(address);
}

/** Back from a provider with a code: redeems it. Returns whether that was so. */
export async function redeemed(rest) {
  const query = new URLSearchParams(location.search);
  const started = JSON.parse(sessionStorage.getItem(STARTED) ?? "null");
  if (!started || query.get("state") !== started.state) return false;
  sessionStorage.removeItem(STARTED);
  history.replaceState(null, "", location.pathname + started.hash);
  if (query.has("error")) throw new Error(query.get("error_description") ?? query.get("error"));
  await rest.signInWith({ code: query.get("code"), verifier: started.verifier, redirectUri: started.redirectUri });
  return true;
}

const random = () => base64url(crypto.getRandomValues(new Uint8Array(24)));
const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");
