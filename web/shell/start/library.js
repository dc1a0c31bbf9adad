/** What there is to open: threat models with their diagrams, page by page, and who is at work in them now. */

const PAGE = 24; // threat models read at once
const AT_ONCE = 6; // requests; more a browser does not send to one server
const RANKS = ["reader", "writer", "owner"];
const later = (a, b) => (a < b) - (a > b); // of two moments in RFC 3339 the later one first

export class Library {
  #rest;
  #me;
  #models = new Map(); // id -> as the server lists it, and `diagrams`, `role`, `changedAt`
  #read = 0; // how far into the server's list
  #total = Infinity;

  constructor(rest, me) {
    this.#rest = rest;
    this.#me = me;
  }

  get hasMore() {
    return this.#read < this.#total;
  }

  /** The last changed first; a threat model has changed when one of its diagrams has. */
  get models() {
    return [...this.#models.values()].sort((a, b) => later(a.changedAt, b.changedAt));
  }

  /** Reads a page further. */
  async more() {
    const { listed, total } = await this.#list({ offset: this.#read });
    this.#read += listed.length;
    this.#total = listed.length > 0 ? total : this.#read;
    await this.#take(listed);
  }

  /** Reads those whose name holds the text, however far down the list they stand. */
  async find(name) {
    await this.#take((await this.#list({ name })).listed.filter(({ id }) => !this.#models.has(id)));
  }

  /** The same, then page by page while `goesOn()`, until `most` are here. @throws with the first request that fails */
  async search(name, { most, goesOn }) {
    await this.find(name);
    while (goesOn() && this.hasMore && this.models.length < most) await this.more();
  }

  /** Everything read so far, anew. */
  async again() {
    const anew = new Library(this.#rest, this.#me);
    do await anew.more();
    while (anew.hasMore && anew.#read < this.#read);
    [this.#models, this.#read, this.#total] = [anew.#models, anew.#read, anew.#total];
  }

  /** One of them anew; it may be gone, or new here. */
  async refresh(id) {
    try {
      const model = await this.#whole(await this.#rest.threatModel(id));
      if (model) this.#models.set(id, model);
      else this.#models.delete(id); // gone between the two requests
    } catch (error) {
      if (error.status !== 403 && error.status !== 404) throw error;
      this.#models.delete(id);
    }
  }

  /** Sessions that are live now, each with `people`: their names, ours first. */
  async sessions() {
    const listed = await this.#json("GET", "/me/sessions");
    return listed.map((session) => ({ ...session, people: peopleOf(session, this.#me) }));
  }

  // -- changes --

  renameModel(id, name) {
    return this.#json("PATCH", `/threat_models/${id}`, { name });
  }

  removeModel(id) {
    return this.#json("DELETE", `/threat_models/${id}`);
  }

  createDiagram(modelId, name, cells) {
    return this.#json("POST", `/threat_models/${modelId}/diagrams`, { name, type: "DFD-1.0.0", cells });
  }

  renameDiagram(modelId, id, name) {
    return this.#json("PATCH", `/threat_models/${modelId}/diagrams/${id}`, { name });
  }

  removeDiagram(modelId, id) {
    return this.#json("DELETE", `/threat_models/${modelId}/diagrams/${id}`);
  }

  // -- reading --

  async #list(asked) {
    const query = new URLSearchParams({ sort: "-modified_at", limit: PAGE, ...asked });
    const { threat_models: listed, total } = await this.#json("GET", `/threat_models?${query}`);
    return { listed, total };
  }

  async #take(listed) {
    for (const model of await inTurn(listed, (one) => this.#whole(one))) if (model) this.#models.set(model.id, model);
  }

  /** With what a list leaves out; null where it has gone meanwhile. */
  async #whole(model) {
    try {
      const [diagrams, role] = await Promise.all([
        model.diagram_count === 0 ? [] : this.#rest.diagrams(model.id),
        this.#roleIn(model),
      ]);
      const latest = diagrams.sort((a, b) => later(a.modified_at, b.modified_at));
      const changedAt = [model.modified_at, ...latest.map(({ modified_at }) => modified_at)].sort().at(-1);
      return { ...model, diagrams: latest, role, changedAt };
    } catch (error) {
      if (error.status !== 403 && error.status !== 404) throw error;
      return null;
    }
  }

  async #roleIn({ id, owner, authorization }) {
    if (owner === this.#me.email || (owner?.provider_id && isSame(owner, this.#me))) return "owner";
    return roleOf(authorization ?? (await this.#json("GET", `/threat_models/${id}/authorization?limit=1000`)).items, this.#me);
  }

  async #json(method, path, body) {
    const answer = await this.#rest.request(method, path, { body });
    return answer.status === 204 ? null : answer.json();
  }
}

/** What these entries let somebody do: "owner", "writer", "reader" or null. It only decides what is offered. */
export function roleOf(entries, me) {
  const groups = new Set(["everyone", ...(me.groups ?? []).map((group) => group.name ?? group.provider_id ?? group)]);
  const ours = ({ principal_type, provider, provider_id, email, subject }) =>
    principal_type === "group"
      ? groups.has(subject)
      : isSame({ provider, provider_id }, me) || (provider === "*" && email?.toLowerCase() === me.email?.toLowerCase());
  const ranks = entries.filter(ours).map(({ role }) => RANKS.indexOf(role));
  return RANKS[Math.max(...ranks)] ?? null;
}

const isSame = (one, other) => one.provider === other.provider && one.provider_id === other.provider_id;

/** Everybody once, "you" first. In the wiki's form of a session a participant is an e-mail address. */
function peopleOf({ participants }, me) {
  const names = participants.map(({ user, user_id }) => {
    const isMe = user ? isSame(user, me) : user_id === me.email;
    return isMe ? "You" : (user?.display_name ?? nameIn(user_id));
  });
  return [...new Set(names)].sort((a, b) => (b === "You") - (a === "You"));
}

/** ana.lopez@example.org -> Ana Lopez */
export function nameIn(address) {
  const words = address.split("@")[0].split(/[._+-]+/).filter(Boolean);
  return words.map(([first, ...rest]) => first.toUpperCase() + rest.join("")).join(" ") || address;
}

/** As Promise.all, with few at a time. */
export async function inTurn(things, act) {
  const [results, waiting] = [Array(things.length), things.entries()];
  const worker = async () => {
    for (const [index, thing] of waiting) results[index] = await act(thing);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, things.length) }, worker));
  return results;
}
