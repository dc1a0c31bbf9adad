/** How things are said on the first pages. Pure. */

const STEPS = [
  ["minute", 60_000, 3_600_000],
  ["hour", 3_600_000, 86_400_000],
  ["day", 86_400_000, 7 * 86_400_000],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const date = new Intl.DateTimeFormat("en", { day: "numeric", month: "long", year: "numeric" });

/** How long ago, or after a week the day. @param {string} moment RFC 3339 */
export function ago(moment, now = Date.now()) {
  const passed = now - Date.parse(moment);
  if (passed < 60_000) return "just now";
  const step = STEPS.find(([, , most]) => passed < most);
  return step ? relative.format(-Math.floor(passed / step[1]), step[0]) : date.format(new Date(moment));
}

/** Who is at work, "You" being the first of them: You and Ana are drawing. */
export function atWork(people) {
  const [first, second] = people;
  if (people.length === 0) return "Open, and nobody is in it now";
  if (people.length === 1) return first === "You" ? "You are in it, in another window" : `${first} is drawing`;
  return `${first} and ${people.length === 2 ? second : `${people.length - 1} others`} are drawing`;
}

export const counted = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

/** What this page cannot do whatever the server says: to try again does not help, and the words are for people. */
export class PageError extends Error {}

/** Why something did not work, for people. */
export function problemOf(error) {
  if (error instanceof PageError) return error.message;
  if (error.status === 403) return "You have not the right to do that here. An owner can give it to you.";
  if (error.status === 404) return "It is not there any more: somebody has deleted it.";
  if (error.status === 429) return `Too many attempts. Please wait ${counted(Math.ceil(error.retryAfterMs / 1000) || 1, "second")}.`;
  if (error.status >= 500) return "The server cannot do that at the moment. Please try again.";
  if (error.status) return error.message;
  return "The server cannot be reached. Is the network there?";
}
