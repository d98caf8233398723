import { HttpException, Inject, Injectable } from "@nestjs/common";
import { createFetch } from "@throughline/fetch";

/** Injection token of the stock service's origin. */
export const STOCK_ORIGIN = Symbol("origin of the stock service");

export interface Stock {
  readonly item: string;
  readonly tenant?: string;
  readonly pieces: number;
}

/** Calls the stock service, with the time left, the trace and the tenant of the Context that is current. */
@Injectable()
export class StockClient {
  readonly #origin: string;
  readonly #fetch: ReturnType<typeof createFetch>;

  constructor(@Inject(STOCK_ORIGIN) origin: string) {
    this.#origin = origin;
    this.#fetch = createFetch({ origins: [origin] }); // the tenant is sent to this origin only
  }

  async of(item: string): Promise<Stock> {
    const response = await this.#fetch(`${this.#origin}/stock/${encodeURIComponent(item)}`);
    // Its deadline is a little earlier than this one, so its own 504 may arrive first.
    if (!response.ok) throw new HttpException("The stock service failed", response.status === 504 ? 504 : 502);
    return (await response.json()) as Stock;
  }
}
