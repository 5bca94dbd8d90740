/** What is fuzzed: where inputs come from, and what takes them. */
import type { Random } from "./mutation.ts";

/** A target that is ready to be fed. */
export interface Opened<Input> {
  /** Draws an input. */
  draw(random: Random): Input;
  /**
   * Feeds an input.
   *
   * @returns how many inputs it counts for; nothing means one
   * @throws what the code under test throws; CpcError and UsageError are refusals, the rest faults
   */
  feed(input: Input): void | number | Promise<void | number>;
  /** Shows an input, so that a fault can be repeated. */
  show?(input: Input): string;
  /** Checks that everything still works, after a batch. */
  check?(): Promise<void>;
  close?(): Promise<void>;
}

/** Something that takes input from outside. */
export interface Target {
  readonly about: string;
  /** Its part of a million inputs. */
  readonly share: number;
  /** Longest time on this thread for an input, in ms. */
  readonly stallMs: number;
  /** Whether what it feeds works on after `feed`: the event loop is watched then. */
  readonly lasting?: boolean;
  open(): Promise<Opened<unknown>>;
}

/** Types the input of a target once, where it is written. */
export function target<Input>(
  { open, ...rest }: Omit<Target, "open"> & { open: () => Opened<Input> | Promise<Opened<Input>> },
): Target {
  return {
    ...rest,
    async open() {
      const { feed, show, ...opened } = await open();
      return {
        ...opened,
        feed: (input) => feed(input as Input),
        ...(show ? { show: (input) => show(input as Input) } : {}),
      };
    },
  };
}

/** Longest stall of the socket thread. */
export const SOCKET_STALL_MS = 100;
/** Longest time for an input of code that runs in a worker or a command. */
export const WORKER_STALL_MS = 2000;
