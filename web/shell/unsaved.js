/** Where a person's operations on a diagram wait in this browser until they are saved: the same for every page. */

import { localQueue } from "../sdk/offline.js";

/** @param me who is signed in, as REST tells it */
export const unsaved = (me, diagramId) => localQueue(`codraw.unsaved/${me.provider}:${me.provider_id}/${diagramId}`);
