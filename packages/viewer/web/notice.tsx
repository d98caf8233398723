import type { ComponentChildren } from "preact";

interface NoticeProps {
  readonly title: string;
  readonly isProblem?: boolean;
  readonly children?: ComponentChildren;
}

/** A message in place of content: nothing has arrived yet, or something failed. */
export function Notice({ title, isProblem = false, children }: NoticeProps) {
  return (
    <section class={isProblem ? "notice is-problem" : "notice"} role={isProblem ? "alert" : "status"}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/** Shown if the server returns an error or does not answer. */
export function Problem({ message }: { readonly message: string }) {
  return (
    <Notice title="This cannot be shown" isProblem>
      <p>{message}</p>
      <p>
        <a href="#/">All traces</a>
      </p>
    </Notice>
  );
}
