/** A page of the site, by its Markdown file in the repository. Files that do not exist are left out. */
export interface Entry {
  readonly text: string;
  readonly file: string;
}

export interface Group {
  readonly text: string;
  readonly entries: readonly Entry[];
}

export interface Section {
  readonly text: string;
  readonly groups: readonly Group[];
}

function entry(text: string, file: string): Entry {
  return { text, file };
}

const LEARN: Group = {
  text: "Learn",
  entries: [
    entry("The Context", "docs/learn/context.md"),
    entry("Deadlines across hops", "docs/learn/deadlines.md"),
    entry("Cancellation", "docs/learn/cancellation.md"),
    entry("Values and identity", "docs/learn/values.md"),
    entry("Tracing", "docs/learn/tracing.md"),
    entry("Overload", "docs/learn/overload.md"),
  ],
};

const GUIDES: readonly Group[] = [
  {
    text: "Receive requests",
    entries: [
      entry("Hosts", "docs/hosts.md"),
      entry("WebSockets and server-sent events", "docs/sockets.md"),
      entry("AWS Lambda", "docs/lambda.md"),
      entry("Queues and messages", "packages/messages/README.md"),
      entry("Jobs", "docs/jobs.md"),
    ],
  },
  {
    text: "Call other systems",
    entries: [
      entry("Clients other than fetch", "docs/clients.md"),
      entry("Databases and caches", "packages/drivers/README.md"),
      entry("LLM and MCP calls", "docs/llm.md"),
      entry("Retries, hedging, fan-out", "packages/resilience/README.md"),
      entry("Worker threads and processes", "docs/workers.md"),
    ],
  },
  {
    text: "Test and operate",
    entries: [
      entry("Rolling out", "docs/rollout.md"),
      entry("Draining on Kubernetes", "docs/kubernetes.md"),
      entry("Overload, measured", "docs/overload.md"),
      entry("Reading a trace", "docs/what-happened.md"),
      entry("Testing a service", "packages/testing/README.md"),
      entry("Testing with mocks", "docs/testing.md"),
      entry("Troubleshooting", "docs/troubleshooting.md"),
    ],
  },
  {
    text: "Migrate",
    entries: [
      entry("Overview", "docs/migrate/README.md"),
      entry("AbortController", "docs/migrate/abort-controller.md"),
      entry("cls-hooked", "docs/migrate/cls-hooked.md"),
      entry("cls-rtracer", "docs/migrate/cls-rtracer.md"),
      entry("connect-timeout", "docs/migrate/connect-timeout.md"),
      entry("express-http-context", "docs/migrate/express-http-context.md"),
      entry("express-timeout-handler", "docs/migrate/express-timeout-handler.md"),
      entry("@fastify/request-context", "docs/migrate/fastify-request-context.md"),
      entry("nestjs-cls", "docs/migrate/nestjs-cls.md"),
    ],
  },
];

const REFERENCE: Group = {
  text: "Reference",
  entries: [
    entry("Options", "docs/reference/options.md"),
    entry("Headers", "docs/reference/headers.md"),
    entry("Attributes and metrics", "docs/reference/telemetry.md"),
    entry("Errors", "docs/reference/errors.md"),
    entry("Wire specification", "docs/specification.md"),
    entry("Versions and support", "docs/versioning.md"),
    entry("Architecture", "docs/architecture.md"),
    entry("Changelog", "CHANGELOG.md"),
    entry("Security", "SECURITY.md"),
    entry("Contributing", "CONTRIBUTING.md"),
  ],
};

/** Groups of entries that are found in folders: packages, their API, decisions. */
export interface FoundGroups {
  readonly packages: Group;
  readonly api: Group;
  readonly decisions: Group;
  readonly examples: Group;
}

export function sections({ packages, api, decisions, examples }: FoundGroups): Section[] {
  return [
    { text: "Learn", groups: [{ text: "Start", entries: [entry("Five minutes", "docs/start.md")] }, LEARN] },
    { text: "Guides", groups: [...GUIDES, examples] },
    { text: "Reference", groups: [REFERENCE, packages] },
    { text: "API", groups: [api] },
    { text: "Compare", groups: [{ text: "Compare", entries: [entry("Alternatives", "docs/compare.md")] }] },
    { text: "Decisions", groups: [decisions] },
  ];
}
