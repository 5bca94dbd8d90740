/**
 * Events of a head: a number that rises above one bound and falls below another, each for long
 * enough. Pure: rows in, events out.
 */
import { type EventSpec, type HeadSpec, rowSeconds, sizeOf } from "./spec.ts";

/** A start or an end. */
export interface HeadEvent {
  readonly event: string;
  readonly state: "start" | "end";
  /** The row with which it was decided. */
  readonly decided: number;
  /** The row with which its span began; at the end of a signal the last row. */
  readonly row: number;
}

/** Where an event is between two rows; a value. */
export interface EventState {
  readonly on: boolean;
  /** The row with which the span that would change this began, and its rows so far. */
  readonly since: number;
  readonly rows: number;
}

const BEGINNING: EventState = { on: false, since: -1, rows: 0 };

/** Follows the events of one head in one stream. */
export class EventFollower {
  readonly #events: readonly Followed[];
  #states: EventState[];

  /**
   * @param options `hopSamples`: of the model, at 16 kHz; `states`: a former {@linkcode states}
   *   to continue from
   */
  constructor(
    spec: Pick<HeadSpec, "outputs" | "events" | "every">,
    { hopSamples, states }: { hopSamples: number; states?: readonly EventState[] },
  ) {
    const seconds = rowSeconds(spec, { hopSamples });
    this.#events = spec.events.map((event) => followed(event, { spec, seconds }));
    this.#states = this.#events.map((_, i) => states?.[i] ?? BEGINNING);
  }

  /** Where each event is. */
  get states(): readonly EventState[] {
    return this.#states;
  }

  /**
   * Hears a row.
   *
   * @param row its index; `values`: its outputs, one after the other
   * @returns the events that it decides
   */
  hear(row: number, values: Float32Array): HeadEvent[] {
    const heard: HeadEvent[] = [];
    this.#states = this.#states.map((state, i) => {
      const { event, place, rowsOn, rowsOff, on, off } = this.#events[i]!;
      const value = values[place]!;
      const crosses = state.on ? value < off : value >= on;
      const returns = state.on ? value >= on : value < off;
      if (returns) return { on: state.on, since: -1, rows: 0 };
      if (!crosses) return state; // between the two: it breaks neither span
      const since = state.since < 0 ? row : state.since;
      const rows = state.rows + 1;
      if (rows < (state.on ? rowsOff : rowsOn)) return { on: state.on, since, rows };
      heard.push({ event, state: state.on ? "end" : "start", decided: row, row: since });
      return { on: !state.on, since: -1, rows: 0 };
    });
    return heard;
  }

  /** The signal ends after row `last`: what is on ends with it. */
  finish(last: number): HeadEvent[] {
    const ended = this.#states.flatMap(({ on }, i): HeadEvent[] =>
      on ? [{ event: this.#events[i]!.event, state: "end", decided: last, row: last }] : []
    );
    this.#states = this.#states.map(() => BEGINNING);
    return ended;
  }
}

interface Followed extends EventSpec {
  /** Its number's place in a row. */
  readonly place: number;
  readonly rowsOn: number;
  readonly rowsOff: number;
}

function followed(
  event: EventSpec,
  { spec, seconds }: { spec: Pick<HeadSpec, "outputs">; seconds: number },
): Followed {
  const at = spec.outputs.findIndex(({ name }) => name === event.output);
  const before = spec.outputs.slice(0, at).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  // the first row of a span counts; 0.3 s of 0.1 s are three rows, whatever the rounding
  const rows = (s: number) => Math.max(1, Math.ceil(s / seconds - 1e-9));
  return {
    ...event,
    place: before + event.index,
    rowsOn: rows(event.min_on_s),
    rowsOff: rows(event.min_off_s),
  };
}
