// Libraries without types of their own.
declare module "express-timeout-handler" {
  import type { Request, RequestHandler, Response } from "express";

  interface Options {
    timeout?: number;
    onTimeout?: (req: Request, res: Response) => void;
    onDelayedResponse?: (req: Request, method: string, args: object, requestTime: number) => void;
    disable?: string[];
  }
  const timeout: { set(timeout: number): RequestHandler; handler(options?: Options): RequestHandler };
  export default timeout;
}
