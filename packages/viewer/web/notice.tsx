import type { ComponentChildren } from "preact";

interface NoticeProps {
  readonly title: string;
  readonly isProblem?: boolean;
  /** Whether the notice is all that the page shows. */
  readonly isPage?: boolean;
  readonly children?: ComponentChildren;
}

/** A message in place of content: nothing has arrived yet, or something failed. */
export function Notice({ title, isProblem = false, isPage = isProblem, children }: NoticeProps) {
  return (
    <section class={isProblem ? "notice is-problem" : "notice"} role={isProblem ? "alert" : "status"}>
      {isPage ? <h1>{title}</h1> : <h2>{title}</h2>}
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
