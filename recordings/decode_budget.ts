/** Bounds what is decoded: for a request, and for all requests of a key together. */
import type { DecodedAmount } from "../audio/decode.ts";
import { CpcError } from "../errors.ts";

/** What one request has decoded. */
export interface DecodeShare {
  /** Refuses what a file's header states. @throws {CpcError} as {@linkcode DecodeShare.take} */
  check(stated: DecodedAmount): void;
  /**
   * Counts what was decoded.
   *
   * @throws {CpcError} `too_large` beyond the bound of a request; `rate_limited` beyond that of a
   *   key's requests
   */
  take(decoded: DecodedAmount): void;
  /** Called when the request has ended. */
  giveBack(): void;
}

/** Bounds of a request, and of all requests of one owner at once. */
export interface DecodeBounds {
  readonly request: DecodedAmount;
  readonly owner: DecodedAmount;
}

/** What the requests under way have decoded, by owner. */
export class DecodeBudget {
  readonly #bounds: DecodeBounds;
  readonly #owners = new Map<string, DecodedAmount>();

  constructor(bounds: DecodeBounds) {
    this.#bounds = bounds;
  }

  /** A request's share, empty at first. */
  share(owner: string): DecodeShare {
    let own: DecodedAmount = { seconds: 0, samples: 0 };
    const check = (more: DecodedAmount) => {
      const { request, owner: all } = this.#bounds;
      if (isBeyond(sum(own, more), request)) {
        const why = `a request may decode up to ${described(request)}; send recordings one by one`;
        throw new CpcError("too_large", why);
      }
      if (isBeyond(sum(this.#of(owner), more), all)) {
        const why = `the current requests of this key decode ${described(all)}; try again later`;
        throw new CpcError("rate_limited", why, { retryAfterMs: 5000 });
      }
    };
    const add = (more: DecodedAmount) => {
      own = sum(own, more);
      const { seconds, samples } = sum(this.#of(owner), more);
      if (samples === 0) this.#owners.delete(owner);
      else this.#owners.set(owner, { seconds, samples });
    };
    return {
      check,
      take(more) {
        check(more);
        add(more);
      },
      giveBack: () => add({ seconds: -own.seconds, samples: -own.samples }),
    };
  }

  #of(owner: string): DecodedAmount {
    return this.#owners.get(owner) ?? { seconds: 0, samples: 0 };
  }
}

function sum(a: DecodedAmount, b: DecodedAmount): DecodedAmount {
  return { seconds: a.seconds + b.seconds, samples: a.samples + b.samples };
}

function isBeyond(amount: DecodedAmount, bound: DecodedAmount): boolean {
  return amount.seconds > bound.seconds || amount.samples > bound.samples;
}

function described({ seconds, samples }: DecodedAmount): string {
  return `${seconds} s of audio and ${samples} samples of all channels`;
}
