import { useEffect, useState } from "preact/hooks";

import type { ApiError, OpenedFile } from "../src/api.ts";
import { traceLink } from "./route.ts";
import { goTo } from "./use-route.ts";

type Status = { readonly text: string; readonly isProblem: boolean };

/** Sets the status below the page; set while `FileDrop` is there. */
let report: (status: Status | undefined) => void = () => {};

/** Lets the user drop files of traces on the page. */
export function FileDrop() {
  const [isOver, setOver] = useState(false);
  const [status, setStatus] = useState<Status | undefined>();
  useEffect(() => {
    report = setStatus;
    const isFile = ({ dataTransfer }: DragEvent): boolean => dataTransfer?.types.includes("Files") === true;
    const over = (event: DragEvent): void => {
      if (!isFile(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent): void => void (event.relatedTarget === null && setOver(false));
    const drop = (event: DragEvent): void => {
      if (!isFile(event)) return;
      event.preventDefault();
      setOver(false);
      void openFiles([...event.dataTransfer!.files]);
    };
    addEventListener("dragover", over);
    addEventListener("dragleave", leave);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("dragleave", leave);
      removeEventListener("drop", drop);
    };
  }, []);
  return (
    <>
      {isOver && <div class="file-drop">Drop files of traces to open them</div>}
      {status !== undefined && (
        <div class={status.isProblem ? "file-status is-problem" : "file-status"} role="status">
          {status.text}{" "}
          <button type="button" class="quiet" onClick={() => setStatus(undefined)} aria-label="Close the message">
            ✕
          </button>
        </div>
      )}
    </>
  );
}

export function OpenFileButton() {
  return (
    <label class="quiet button" title="Open files: OTLP, Tempo, Jaeger, Zipkin">
      Open
      <input
        type="file"
        class="hidden"
        multiple
        aria-label="Open files of traces"
        onChange={({ currentTarget }) => {
          void openFiles([...(currentTarget.files ?? [])]);
          currentTarget.value = "";
        }}
      />
    </label>
  );
}

/** Sends files to the viewer, and shows their trace if there is only one. */
async function openFiles(files: readonly File[]): Promise<void> {
  const traceIds = new Set<string>();
  let status: Status | undefined;
  for (const file of files) {
    const opened = await openFile(file);
    if ("message" in opened) status = { text: `${file.name}: ${opened.message}`, isProblem: true };
    else {
      for (const id of opened.traceIds) traceIds.add(id);
      if (opened.rejected > 0) {
        status = { text: `${file.name}: ${opened.rejected} spans are not shown: ${opened.reason}`, isProblem: true };
      }
    }
  }
  report(status ?? { text: `${traceIds.size} ${traceIds.size === 1 ? "trace" : "traces"} opened`, isProblem: false });
  const [first] = traceIds;
  if (first !== undefined) goTo(traceIds.size === 1 ? traceLink(first) : "#/");
}

async function openFile(file: File): Promise<OpenedFile | ApiError> {
  try {
    const response = await fetch("./api/open", { method: "POST", body: file });
    return (await response.json()) as OpenedFile | ApiError;
  } catch (error) {
    return { message: `The viewer did not take the file: ${(error as Error).message}` };
  }
}
