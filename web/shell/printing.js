/** On paper the drawing stands alone and whole, as large as it is or smaller; style.css hides what is around it. */

const MARGIN = 24;
const LEAST = 700; // across: less would be shown larger than it is

/**
 * @param svg the picture. @param world what in it is moved and scaled to look around, which paper does without
 * @param whole called first, so that also what is out of sight is drawn; returns how to go back
 * @returns {{stop(): void}}
 */
export function printing({ svg, world, whole }) {
  const abort = new AbortController();
  const { signal } = abort;
  let back = () => {};
  const begin = () => {
    back = whole();
    const { x, y, width, height } = world.getBBox();
    const across = Math.max(MARGIN, (LEAST - width) / 2);
    svg.setAttribute("viewBox", `${x - across} ${y - MARGIN} ${width + 2 * across} ${height + 2 * MARGIN}`);
  };
  const end = () => {
    svg.removeAttribute("viewBox");
    back();
  };
  addEventListener("beforeprint", begin, { signal });
  addEventListener("afterprint", end, { signal });
  return { stop: () => abort.abort() };
}
