/** A place in the browser for operations that are not saved yet, so that edits made offline survive a reload. */

/**
 * For `connect({ storage })`. `key` names the person and the diagram. Every operation has an item of its own, so that
 * two windows of one person do not overwrite each other.
 *
 * @param store asked for when it is needed: a browser that forbids it throws when it is looked at
 */
export function localQueue(key, store = () => globalThis.localStorage) {
  const written = new Map(); // operation id -> {order, text}
  let last = 0;
  const place = (id) => `${key}/${id}`;

  return {
    load() {
      const items = store();
      const keys = Array.from({ length: items.length }, (_, at) => items.key(at));
      const found = keys.filter((name) => name.startsWith(place(""))).flatMap((name) => parsed(items.getItem(name)));
      found.sort((a, b) => a.operation.askedAt - b.operation.askedAt || a.order - b.order);
      for (const { order, text, operation } of found) {
        written.set(operation.operationId, { order, text });
        last = Math.max(last, order);
      }
      return found.map(({ operation }) => operation);
    },

    save(operations) {
      const ids = new Set(operations.map(({ operationId }) => operationId));
      for (const id of written.keys()) {
        if (ids.has(id)) continue;
        store().removeItem(place(id));
        written.delete(id);
      }
      for (const operation of operations) {
        const id = operation.operationId;
        const before = written.get(id);
        const order = before?.order ?? ++last;
        const text = JSON.stringify({ order, operation });
        if (text === before?.text) continue;
        store().setItem(place(id), text);
        written.set(id, { order, text });
      }
    },
  };
}

/** Nothing where somebody else has written. */
function parsed(text) {
  try {
    const { order, operation } = JSON.parse(text);
    return Array.isArray(operation.cells) ? [{ order, operation, text }] : [];
  } catch {
    return [];
  }
}
