import { CopyButton } from "./copy-button.tsx";
import { Notice } from "./notice.tsx";

export function EmptyList({ isNarrowed }: { readonly isNarrowed: boolean }) {
  if (isNarrowed) {
    return (
      <Notice title="No trace is like that">
        <p>
          <a href="#/">Show all traces</a>
        </p>
      </Notice>
    );
  }
  const setting = `OTEL_EXPORTER_OTLP_ENDPOINT=${location.origin}`;
  return (
    <Notice title="No traces yet">
      <p>Send traces from any service with OpenTelemetry. They appear here as they arrive.</p>
      <p class="command">
        <code>{setting} node app.js</code>
        <CopyButton text={setting} what="the setting" />
      </p>
      <p class="muted">OTLP over HTTP, as JSON or protobuf, at {location.origin}/v1/traces</p>
    </Notice>
  );
}
