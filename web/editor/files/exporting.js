/** A diagram as a file: its cells as JSON, which needs no connection, or a picture that the server draws. */

const PATIENCE_MS = 90_000;
const PAUSE_MS = 2_000;

/** What `importing.js` reads again, here and at any other server. */
export function asJson(name, cells) {
  return `${JSON.stringify({ codraw: 1, name, cells: [...cells] }, null, 1)}\n`;
}

/** A title as the name of a file on any system. */
export function fileName(title, extension) {
  const safe = title
    .normalize("NFC")
    .replace(/[\p{C}\\/:*?"<>|]+/gu, " ")
    .replace(/\s+/g, " ")
    .replace(/^[. ]+|[. ]+$/g, "")
    .slice(0, 80)
    .replace(/\p{Surrogate}/gu, "") // half of an emoji
    .trim();
  const isReserved = /^(con|prn|aux|nul|com\d|lpt\d)$/i.test(safe);
  return `${safe && !isReserved ? safe : `diagram${safe && ` ${safe}`}`}.${extension}`;
}

/** The diagram as its server draws it. Large ones take a while: it is asked again until it is there. */
export async function picture(rest, { threatModelId, diagramId }, format, { pauseMs = PAUSE_MS } = {}) {
  const path = `/threat_models/${threatModelId}/diagrams/${diagramId}/image?format=${format}`;
  if (format === "svg") return drawn(rest, path, pauseMs);
  try {
    return await drawn(rest, `${path}&scale=2`, pauseMs); // sharp on the screens of today
  } catch (error) {
    if (error.reason !== "limit_exceeded") throw error;
    return drawn(rest, path, pauseMs);
  }
}

async function drawn(rest, path, pauseMs) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      const answer = await rest.request("GET", path, { headers: { Accept: "image/*" } });
      return await answer.blob();
    } catch (error) {
      const isBusy = error.status === 503 || error.name === "TimeoutError";
      if (!isBusy || Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, Math.max(pauseMs, error.retryAfterMs ?? 0)));
    }
  }
}

/** Into the folder of downloads. */
export function save(content, name) {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  Object.assign(link, { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
