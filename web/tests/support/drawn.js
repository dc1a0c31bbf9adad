/** Cells as a drawing has them, and what looks them up. */

export const box = (id, x, y, more = {}) => ({ id, shape: "process", x, y, width: 100, height: 50, ...more });

export const flow = (id, source, target, more = {}) => ({
  id,
  shape: "flow",
  source: { cell: source },
  target: { cell: target },
  ...more,
});

export const look = (...cells) => ({ get: (id) => cells.find((cell) => cell.id === id), cells: () => cells });
