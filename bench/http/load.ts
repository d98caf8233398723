import { Agent, get } from "node:http";

/** Sends as many requests as asked for, over some connections that stay open; ends by itself. */
export async function load(port: number, requests: number, connections = 20): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  let left = requests;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const headers = { "grpc-timeout": "5S", traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
      get({ host: "127.0.0.1", port, path: "/items/7", agent, headers }, (response) =>
        response.on("end", resolve).resume(),
      ).on("error", reject);
    });
  const worker = async (): Promise<void> => {
    while (left-- > 0) await one();
  };
  await Promise.all(Array.from({ length: connections }, worker));
  agent.destroy();
}
