/** The few pictures of the page. Strokes take the colour of the text around them. */

import { s } from "./dom.js";

const PATHS = {
  select: ["M5 3l14 8-6.5 1.6L9.4 19z"],
  process: ["M12 5c5 0 9 3.1 9 7s-4 7-9 7-9-3.1-9-7 4-7 9-7z"],
  store: ["M4 7h16", "M4 17h16"],
  actor: ["M4 6h16v12H4z"],
  "security-boundary": [
    "M7 4H4v3",
    "M10.5 4h3",
    "M17 4h3v3",
    "M20 10.5v3",
    "M20 17v3h-3",
    "M13.5 20h-3",
    "M7 20H4v-3",
    "M4 13.5v-3",
  ],
  "text-box": ["M5 7V5h14v2", "M12 5v14", "M9 19h6"],
  flow: ["M4 17C8 9 12 9 19 8", "M14 4.5L19.5 8l-4 5"],
  undo: ["M9 14L4 9l5-5", "M4 9h10a6 6 0 010 12h-3"],
  redo: ["M15 14l5-5-5-5", "M20 9H10a6 6 0 000 12h3"],
  remove: ["M4 7h16", "M9 7V4h6v3", "M6.5 7l1 13h9l1-13"],
  rename: ["M4 20l1-4L16 5l3 3L8 19z"],
  connect: ["M4 12h15", "M13 6l6 6-6 6"],
  link: ["M10 14a4 4 0 006 0l3-3a4 4 0 00-6-6l-1 1", "M14 10a4 4 0 00-6 0l-3 3a4 4 0 006 6l1-1"],
  inspect: ["M3 12h4l3-8 4 16 3-8h4"],
  back: ["M14 5l-7 7 7 7"],
  plus: ["M12 5v14", "M5 12h14"],
  minus: ["M5 12h14"],
  fit: ["M4 9V4h5", "M15 4h5v5", "M20 15v5h-5", "M9 20H4v-5"],
  cut: ["M6 18L18 6", "M8 4v3", "M4 8h3", "M16 20v-3", "M20 16h-3"],
};

export function icon(name) {
  return s(
    "svg",
    { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" },
    PATHS[name].map((d) => s("path", { d })),
  );
}
