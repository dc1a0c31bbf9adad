/** Types of x6.js. The graph is AntV X6's 3.1, whose own types are in `@antv/x6`. */

import type { Cell, LiveDiagram } from "../sdk/codraw.js";
import type { Binding } from "../sdk/binding.js";

/** `X6`: what the library exports, or the global of `x6.min.js`. Once per page, before the first graph. */
export function registerShapes(X6: object): void;

/** For `connecting` of `new X6.Graph`: how flows meet nodes. */
export const LAYING: { anchor: string; connectionPoint: string; router: string; connector: string };

/** Draws what the server says, sends what X6 changes: places, sizes, parents, ends, vertices, order, colours. */
export function bindGraph(
  diagram: LiveDiagram,
  graph: object,
  options?: { failed?(error: Error): void },
): Pick<Binding, "begin" | "end" | "flush" | "stop">;

/** What X6 is told of a cell: known keys only, every value checked. For `addNode` or `addEdge`. */
export function metadataOf(cell: Cell): Record<string, unknown>;

/** The text of a cell, wherever the editor that drew it keeps it; "" where there is none. */
export function caption(cell: Partial<Cell>): string;
