import type { ComponentChildren } from "preact";

interface NoticeProps {
  readonly title: string;
  readonly isProblem?: boolean;
  readonly children?: ComponentChildren;
}

/** In place of what there is nothing of: nothing has come, or something went wrong. */
export function Notice({ title, isProblem = false, children }: NoticeProps) {
  return (
    <section class={isProblem ? "notice is-problem" : "notice"} role={isProblem ? "alert" : "status"}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/** When the server cannot, or does not, answer. */
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
