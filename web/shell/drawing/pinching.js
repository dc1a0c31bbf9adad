/** Safari tells of a pinch by events of its own: on a trackpad by them alone, on glass besides the pointers. */

const TYPES = ["gesturestart", "gesturechange", "gestureend"];

/** Calls `zoom(factor, event)` with every step of one; the page around `root` stays as it is. */
export function onPinch(root, zoom, options = {}) {
  let scale = 1;
  const step = (event) => {
    event.preventDefault();
    if (event.type === "gesturechange") zoom(event.scale / scale, event);
    scale = event.scale;
  };
  for (const type of TYPES) root.addEventListener(type, step, { passive: false, ...options });
}
