import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

/** Another implementation of gRPC. */
export interface Peer {
  readonly name: string;
  /** The missing packages, if it cannot run on this machine. */
  readonly missing?: string;
  readonly command: readonly string[];
}

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const built = mkdtempSync(join(tmpdir(), "interop-"));

/** Debian's folder for Go sources, unless the environment names another one. */
const GOPATH = process.env["GOPATH"] ?? "/usr/share/gocode";

function python(): Peer {
  // Debian's packages are for Debian's Python, which may not be the first on the path.
  const found = ["/usr/bin/python3", "python3"].find((each) => spawnSync(each, ["-c", "import grpc"]).status === 0);
  const peer = { name: "Python", command: [found ?? "python3", here("peer.py")] };
  return found === undefined ? { ...peer, missing: "Debian's python3-grpcio" } : peer;
}

function go(): Peer {
  const binary = join(built, "peer");
  const peer = { name: "Go", command: [binary] };
  const env = { ...process.env, GO111MODULE: "off", GOPATH, GOCACHE: join(built, "cache") };
  const { status, error } = spawnSync("go", ["build", "-o", binary, here("peer.go")], { env, stdio: "inherit" });
  return error === undefined && status === 0
    ? peer
    : { ...peer, missing: "Debian's golang-go and golang-google-grpc-dev" };
}

export const peers: readonly Peer[] = [python(), go()];

/** Removes the built peers. */
export function cleanUp(): void {
  rmSync(built, { recursive: true, force: true });
}

/** A running server of a peer. */
export interface PeerServer extends Disposable {
  readonly address: string;
}

/** Starts the server of a peer, which runs until it is disposed. */
export async function startServer({ command: [file, ...args] }: Peer): Promise<PeerServer> {
  const child: ChildProcess = spawn(file!, [...args, "serve"], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = (await once(child.stdout!.setEncoding("utf8"), "data")) as [string];
  const { port } = JSON.parse(line) as { port: number };
  return { address: `127.0.0.1:${port}`, [Symbol.dispose]: () => void child.stdin!.end() };
}

/** The results of a client's calls: the deadlines that it sent and the server saw, and the times of a cancellation. */
export interface CallResults {
  readonly calls: readonly { readonly sent: number; readonly seen: number | null }[];
  readonly canceled: number;
  readonly seen: number | null;
  readonly code: number;
}

/** Runs the client of a peer against a server. */
export async function runClient({ command: [file, ...args] }: Peer, address: string): Promise<CallResults> {
  const child = spawn(file!, [...args, "call", address], { stdio: ["ignore", "pipe", "inherit"] });
  return JSON.parse(await text(child.stdout)) as CallResults;
}
