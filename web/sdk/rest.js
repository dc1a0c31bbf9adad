/** The few REST calls that an editor needs before it can open a diagram. */

const TIMEOUT_MS = 10_000;
const REFRESH_AHEAD_MS = 300_000;
const PAGE = 1_000; // the most a list gives at once
const LOOK_AGAIN_MS = 5_000;
const AWAY_MS = 1_000;

/** A refusal as the server words it: `status` of HTTP, `reason` = its `error`, `body` whole, `retryAfterMs` or 0. */
export class RestError extends Error {
  constructor(status, body, retryAfterMs = 0) {
    super(body.message ?? `HTTP ${status}`);
    this.status = status;
    this.reason = body.error;
    this.body = body;
    this.retryAfterMs = retryAfterMs;
  }
}

export class Rest {
  #server;
  #tokens; // {access_token, refresh_token, expiresAt}
  #keep;
  #refreshing = null;

  /**
   * @param server `https://…` without a slash at its end; a page of the server itself needs none
   * @param keep called with the tokens whenever they change, null: signed out
   */
  constructor({ server = "", tokens = null, keep = () => {} } = {}) {
    this.#server = server;
    this.#tokens = tokens;
    this.#keep = keep;
  }

  /** Vue makes no proxy, which would lack the private members, of what has a name of its own. */
  get [Symbol.toStringTag]() {
    return "Rest";
  }

  get isSignedIn() {
    return this.#tokens !== null;
  }

  // -- who we are --

  async providers() {
    return (await this.#fetch("/oauth2/providers")).providers;
  }

  /** Development only: any name will do. */
  async signInAs(name) {
    const query = new URLSearchParams({ idp: "test", login_hint: name });
    this.#take(await this.#fetch(`/oauth2/authorize?${query}`));
  }

  /** The second half of the authorization code flow with PKCE. */
  async signInWith({ code, verifier, redirectUri }) {
    const body = { grant_type: "authorization_code", code, code_verifier: verifier, redirect_uri: redirectUri };
    this.#take(await this.#fetch("/oauth2/token", { method: "POST", body }));
  }

  async signOut() {
    await this.#call("POST", "/me/logout").catch(() => {});
    this.forget();
  }

  forget() {
    this.#take(null);
  }

  /** The tokens that another window with the same login has got for ours: a refresh token is good for once. */
  adopt(tokens) {
    this.#tokens = tokens;
    this.#keep(tokens);
  }

  me() {
    return this.#call("GET", "/me");
  }

  // -- what there is --

  threatModels() {
    return this.#all("/threat_models", "threat_models", { sort: "-modified_at" });
  }

  threatModel(id) {
    return this.#call("GET", `/threat_models/${id}`);
  }

  /** @param everyone role for everybody who can sign in, or none */
  createThreatModel(name, { everyone } = {}) {
    const authorization = everyone ? [{ subject: "everyone", subject_type: "group", role: everyone }] : [];
    return this.#call("POST", "/threat_models", { name, authorization });
  }

  diagrams(threatModelId) {
    return this.#all(`/threat_models/${threatModelId}/diagrams`, "diagrams");
  }

  diagram(threatModelId, id) {
    return this.#call("GET", `/threat_models/${threatModelId}/diagrams/${id}`);
  }

  createDiagram(threatModelId, name) {
    return this.#call("POST", `/threat_models/${threatModelId}/diagrams`, { name, type: "DFD-1.0.0" });
  }

  // -- going live --

  /** The diagram's session: begun by us, or joined where there is one. Readers cannot begin one: `nobody_there`. */
  async collaborate(threatModelId, diagramId) {
    const path = `/threat_models/${threatModelId}/diagrams/${diagramId}/collaborate`;
    try {
      return await this.#call("POST", path);
    } catch (error) {
      if (error.status !== 409 && error.status !== 403) throw error;
      const joining = this.#call("PUT", path);
      return error.status === 409 ? joining : joining.catch(nobodyThere);
    }
  }

  /** For everybody where we are its host or own the threat model; anybody else only leaves. */
  endSession(threatModelId, diagramId) {
    return this.#call("DELETE", `/threat_models/${threatModelId}/diagrams/${diagramId}/collaborate?end=true`);
  }

  /**
   * What `connect` needs: where, and how to be let in. Begins or joins the session; readers wait for one.
   * @param told hears of the session, as REST shows it, whenever it is entered
   */
  live(threatModelId, diagramId, { told = () => {} } = {}) {
    const server = (this.#server || location.origin).replace(/^http/, "ws");
    const enter = async () => {
      const session = await this.collaborate(threatModelId, diagramId);
      told(session);
      return this.ticket(session.session_id);
    };
    return {
      url: `${server}/threat_models/${threatModelId}/diagrams/${diagramId}/ws`,
      ticket: async ({ wants }) => {
        if (wants !== "connect") await this.refresh();
        try {
          return await enter();
        } catch (error) {
          if (error.status !== 404 || error.retryAfterMs) throw error;
          return enter(); // that session was just ending, as after a host who comes back at once; the next one does not
        }
      },
    };
  }

  async ticket(sessionId) {
    return (await this.#call("GET", `/ws/ticket?session_id=${encodeURIComponent(sessionId)}`)).ticket;
  }

  // -- the calls themselves --

  async #all(path, name, order = {}) {
    const found = [];
    for (;;) {
      const query = new URLSearchParams({ ...order, limit: PAGE, offset: found.length });
      const page = await this.#call("GET", `${path}?${query}`);
      found.push(...page[name]);
      if (page[name].length === 0 || found.length >= page.total) return found;
    }
  }

  /** Any other call, with our login and refused like all of them: a RestError. The answer is fetch's own. */
  async request(method, path, { body, headers } = {}) {
    if (this.#tokens && Date.now() > this.#tokens.expiresAt - REFRESH_AHEAD_MS) await this.refresh();
    const send = () => this.#send(path, { method, body, headers, token: this.#tokens?.access_token });
    try {
      return await send();
    } catch (error) {
      if (error.status !== 401 || !this.#tokens) throw error;
      await this.refresh();
      return send();
    }
  }

  async #call(method, path, body) {
    return parsed(await this.request(method, path, { body }));
  }

  /** New tokens for old; one request however many ask. @throws {RestError} 401 where the login has ended */
  refresh() {
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  /** Who has signed out or in meanwhile stays so. */
  async #refresh() {
    const before = this.#tokens;
    try {
      const body = { refresh_token: before?.refresh_token };
      const tokens = await this.#fetch("/oauth2/refresh", { method: "POST", body });
      if (this.#tokens === before) this.#take(tokens);
    } catch (error) {
      if (!(error instanceof RestError) || error.status >= 500 || error.status === 429 || error.retryAfterMs) throw error;
      if (this.#tokens !== before) return;
      this.#take(null);
      throw new RestError(401, { error: "login_ended", message: "your login has ended" });
    }
  }

  #take(tokens) {
    this.#tokens = tokens && {
      access_token: tokens.access_token,
      refresh_token: tokens.refresh_token,
      expiresAt: Date.now() + tokens.expires_in * 1000,
    };
    this.#keep(this.#tokens);
  }

  async #fetch(path, options) {
    return parsed(await this.#send(path, options));
  }

  async #send(path, { method = "GET", body, headers, token } = {}) {
    const response = await fetch(this.#server + path, {
      method,
      credentials: "same-origin",
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        Accept: "application/json",
        ...(body && { "Content-Type": "application/json" }),
        ...(token && { Authorization: `Bearer ${token}` }),
        ...headers,
      },
      body: body && JSON.stringify(body),
    });
    if (response.ok) return response;
    const told = await parsed(response);
    // What does not speak as the server does stands before it: a balancer that knows no server says 404, too.
    const waitMs = delayOf(response.headers.get("Retry-After")) || (told.error || response.status >= 500 ? 0 : AWAY_MS);
    throw new RestError(response.status, told, waitMs);
  }
}

/** To who may look at the diagram, but may not begin a session. */
function nobodyThere(error) {
  if (error.status !== 404) throw error;
  throw new RestError(404, { error: "nobody_there", message: "nobody has the diagram open" }, LOOK_AGAIN_MS);
}

async function parsed(response) {
  const text = await response.text();
  return /json/.test(response.headers.get("Content-Type") ?? "") ? JSON.parse(text) : {};
}

/** `Retry-After` (RFC 9110, 10.2.3): seconds, or a date. */
function delayOf(retryAfter) {
  return Math.max(0, Number(retryAfter) * 1000 || Date.parse(retryAfter) - Date.now() || 0);
}
