/** Types of rest.js. */

import type { Options, User } from "./codraw.js";

/** A refusal as the server words it: `status` of HTTP, `reason` = its `error`, `body` whole. */
export class RestError extends Error {
  constructor(status: number, body: { error?: string; message?: string }, retryAfterMs?: number);
  readonly status: number;
  readonly reason: string | undefined;
  readonly body: Record<string, unknown>;
  /** How long the server asks to wait (`Retry-After`), or 0. */
  readonly retryAfterMs: number;
}

export interface Tokens {
  access_token: string;
  refresh_token: string;
  /** Milliseconds since 1970. */
  expiresAt: number;
}

export interface Named {
  id: string;
  name: string;
  [key: string]: unknown;
}

/** Somebody at a server. Tokens are refreshed ahead of time. Every promise may reject with a RestError. */
export class Rest {
  constructor(options?: {
    /** `https://…` without a slash at its end; a page of the server itself needs none. */
    server?: string;
    tokens?: Tokens | null;
    /** Called with the tokens whenever they change; null: signed out. */
    keep?: (tokens: Tokens | null) => void;
  });
  readonly isSignedIn: boolean;

  providers(): Promise<{ id: string; name: string; [key: string]: unknown }[]>;
  /** Development only: any name will do. */
  signInAs(name: string): Promise<void>;
  /** The second half of the authorization code flow with PKCE. */
  signInWith(grant: { code: string; verifier: string; redirectUri: string }): Promise<void>;
  refresh(): Promise<void>;
  signOut(): Promise<void>;
  /** Signs out here, without telling the server. */
  forget(): void;
  /** The tokens that another window with the same login has got for ours: a refresh token is good for once. */
  adopt(tokens: Tokens): void;
  /** `sub` is `<provider>:<provider_id>`, one for each person. */
  me(): Promise<User & { sub: string } & Record<string, unknown>>;

  /** All, the last changed first. */
  threatModels(): Promise<Named[]>;
  threatModel(id: string): Promise<Named>;
  /** @param options.everyone the role of everybody who can sign in */
  createThreatModel(name: string, options?: { everyone?: "reader" | "writer" | "owner" }): Promise<Named>;
  /** All. */
  diagrams(threatModelId: string): Promise<Named[]>;
  diagram(threatModelId: string, id: string): Promise<Named>;
  createDiagram(threatModelId: string, name: string): Promise<Named>;

  /**
   * The diagram's session: begun, or joined where there is one. A reader cannot begin one: the RestError has the reason
   * `nobody_there` then, and says in `retryAfterMs` when to ask again.
   */
  collaborate(threatModelId: string, diagramId: string): Promise<{ session_id: string; [key: string]: unknown }>;
  /** For everybody where we are its host or own the threat model; anybody else only leaves. */
  endSession(threatModelId: string, diagramId: string): Promise<unknown>;
  /** Any other call of the API, with this login: `body` is sent as JSON. Rejects with a RestError unless it succeeds. */
  request(
    method: string,
    path: string,
    options?: { body?: unknown; headers?: Record<string, string> },
  ): Promise<Response>;
  /** A single-use ticket for a socket. */
  ticket(sessionId: string): Promise<string>;
  /** What `connect` needs: where, and how to be let in. Begins or joins the session; a reader waits until there is one. */
  live(
    threatModelId: string,
    diagramId: string,
    options?: {
      /** Hears of the session, as REST shows it, whenever it is entered. */
      told?: (session: Record<string, unknown>) => void;
    },
  ): Required<Pick<Options, "url" | "ticket">>;
}
