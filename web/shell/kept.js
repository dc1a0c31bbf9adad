/** What this window keeps over a reload; where the browser forbids that, until it is reloaded. */

const here = new Map();

export function kept(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? "null");
  } catch {
    return here.get(key) ?? null;
  }
}

/** Null forgets. @returns whether it lasts */
export function keep(key, value) {
  try {
    if (value === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, JSON.stringify(value));
    return true;
  } catch {
    here.set(key, value);
    return false;
  }
}
