/** The menu of files: the diagram as a picture or as JSON, and JSON into the diagram, also by dropping a file. */

import { uuid } from "../../sdk/codraw.js";
import { h, toast } from "../../shell/dom.js";
import { icon } from "../../shell/icons.js";
import { popover } from "../../shell/together/popover.js";
import { asJson, fileName, picture, save } from "./exporting.js";
import { NotImported, planned, read } from "./importing.js";

const LARGEST = 16 * 1024 * 1024;
const MARGIN = 60; // around what was imported

/**
 * @param diagram LiveDiagram. @param stage for what was imported to be seen. @param place `{threatModelId, diagramId}`
 * @param title `name`: what the diagram is called now
 * @returns {{root: HTMLElement, stop(): void}}
 */
export function filesMenu({ diagram, stage, title, rest, place }) {
  return new FilesMenu({ diagram, stage, title, rest, place });
}

class FilesMenu {
  #diagram;
  #stage;
  #title;
  #rest;
  #place;
  #abort = new AbortController();
  #popover;
  #chooser = h("input", {
    type: "file",
    accept: ".json,application/json",
    hidden: true,
    onchange: () => this.#chosen(),
  });
  #pictures = ["svg", "png"].map((format) =>
    this.#item("save", `Picture (${format.toUpperCase()})`, () => this.#savePicture(format)),
  );
  #import = this.#item("open", "Import JSON…", () => this.#chooser.click());
  #hint = h("p", { class: "hint" });
  #target = h("p", { class: "drop-target", "aria-hidden": "true", hidden: true }, "Drop the file to add its cells");

  constructor({ diagram, stage, title, rest, place }) {
    this.#diagram = diagram;
    this.#stage = stage;
    this.#title = title;
    this.#rest = rest;
    this.#place = place;
    this.#popover = popover({
      id: "files",
      label: [icon("file"), h("span", { class: "hidden" }, "Files")],
      buttonClass: "icon-button",
      name: "Export and import",
      opens: () => this.#opened(),
      content: [
        h("h2", "Export"),
        h(
          "ul",
          { class: "file-commands" },
          [...this.#pictures, this.#item("save", "Data (JSON)", () => this.#saveJson())].map((item) => h("li", item)),
        ),
        h("h2", "Import"),
        h("ul", { class: "file-commands" }, h("li", this.#import)),
        this.#hint,
      ],
    });
    this.root = h("div", { class: "files" }, this.#popover.root, this.#chooser);
    stage.root.append(this.#target);
    this.#acceptDrops();
  }

  stop() {
    this.#abort.abort();
    this.#popover.stop();
    this.#target.remove();
  }

  #item(picture, text, act) {
    return h("button", { type: "button", class: "quiet", onclick: () => this.#do(act) }, icon(picture), text);
  }

  #do(act) {
    this.#popover.close();
    this.#popover.button.focus();
    act();
  }

  #opened() {
    const { isLive, canWrite } = this.#diagram;
    for (const item of this.#pictures) item.disabled = !isLive;
    this.#import.disabled = !canWrite;
    this.#hint.textContent = [
      !isLive && "Pictures are drawn by the server: they need the connection.",
      !canWrite && "You may look on, not import.",
    ]
      .filter(Boolean)
      .join(" ");
  }

  // -- out ---------------------------------------------------------------------------------------------------------------

  #saveJson() {
    const text = asJson(this.#title.name, this.#diagram.replica.cells());
    save(new Blob([text], { type: "application/json" }), fileName(this.#title.name, "json"));
  }

  async #savePicture(format) {
    const working = busy(`Drawing the ${format.toUpperCase()} …`);
    try {
      await saved(this.#diagram);
      save(await picture(this.#rest, this.#place, format), fileName(this.#title.name, format));
    } catch (error) {
      toast(`The picture could not be drawn: ${error.message}`, "bad");
    } finally {
      working.done();
    }
  }

  // -- in ----------------------------------------------------------------------------------------------------------------

  #chosen() {
    const [file] = this.#chooser.files;
    this.#chooser.value = ""; // the same file may be chosen again
    if (file) this.#importFile(file);
  }

  #acceptDrops() {
    const { signal } = this.#abort;
    const isFile = ({ dataTransfer }) => dataTransfer?.types.includes("Files");
    const show = (isOver) => (this.#target.hidden = !isOver);
    const over = (event) => {
      if (!isFile(event)) return;
      event.preventDefault(); // else the browser would leave the page and show the file
      event.dataTransfer.dropEffect = this.#diagram.canWrite ? "copy" : "none";
      show(this.#diagram.canWrite);
    };
    document.addEventListener("dragover", over, { signal });
    document.addEventListener("dragleave", ({ relatedTarget }) => relatedTarget || show(false), { signal });
    document.addEventListener(
      "drop",
      (event) => {
        if (!isFile(event)) return;
        event.preventDefault();
        show(false);
        const [file] = event.dataTransfer.files;
        if (!file) toast("That is no file.", "bad");
        else if (this.#diagram.canWrite) this.#importFile(file);
      },
      { signal },
    );
  }

  async #importFile(file) {
    try {
      if (file.size > LARGEST) throw new NotImported("The file is larger than 16 MiB.");
      const { changes } = read(await file.text());
      await this.#add(planned(changes, this.#diagram.replica, this.#diagram.limits), file.name);
    } catch (error) {
      explain(file.name, error instanceof NotImported ? error : new NotImported(`It was not imported: ${error.message}`));
    }
  }

  /** One step of undo. With a connection one operation waits for the other, so that a refusal ends it. */
  async #add({ batches, count, box }, name) {
    const groupId = uuid();
    const working = batches.length > 1 ? busy(`Importing ${count} cells …`, count) : null;
    let done = 0;
    try {
      for (const changes of batches) {
        const { saved: outcome } = this.#diagram.edit(changes, { groupId });
        if (done === 0 && box) this.#show(box);
        done += changes.length;
        working?.at(done);
        const told = this.#diagram.isLive ? await outcome : { accepted: true };
        if (!told.accepted)
          return toast(
            `“${name}” was not imported${done > changes.length ? " as a whole" : ""}: ${told.message}`,
            "bad",
          );
      }
      toast(`${count} ${count === 1 ? "cell" : "cells"} imported.`);
    } finally {
      working?.done();
    }
  }

  /** From no nearer than one looks now. */
  #show(box) {
    const { width, height } = this.#stage.viewport;
    const across = Math.max(0, width - box.width, 2 * MARGIN) / 2;
    const down = Math.max(0, height - box.height, 2 * MARGIN) / 2;
    this.#stage.show({
      x: box.x - across,
      y: box.y - down,
      width: box.width + 2 * across,
      height: box.height + 2 * down,
    });
  }
}

/** Once the server has everything; at once where there is no connection to wait for. */
function saved(diagram) {
  return new Promise((resolve) => {
    const look = () => {
      if (diagram.isLive && diagram.status.pending > 0) return;
      stop();
      resolve();
    };
    const stop = diagram.on("status", look);
    look();
  });
}

/** That something takes its time, for everybody to see and to hear. */
function busy(words, most) {
  const bar = h("progress", { "aria-label": words, max: most });
  const root = h("div", { class: "file-progress", role: "status" }, h("span", words), bar);
  document.body.append(root);
  return { at: (value) => (bar.value = value), done: () => root.remove() };
}

function explain(name, { message, problems }) {
  const dialog = h(
    "dialog",
    { class: "question file-problems", "aria-label": "Import", onclose: () => dialog.remove() },
    h(
      "form",
      { method: "dialog" },
      h("p", h("strong", name), h("br"), message),
      problems.length > 0 &&
        h(
          "ul",
          problems.map((problem) => h("li", problem)),
        ),
      h("div", { class: "row end" }, h("button", { class: "primary", autofocus: true }, "Close")),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
}
