/** One stream of the page: a source of audio, and its connection. */
import {
  connect,
  type CpcStream,
  type Done,
  type Frames,
  type HeadEvent,
  type HeadMessage,
  type Options,
  type Output,
  type Ready,
  type State,
} from "../client/mod.ts";
import type { Source } from "../client/browser.ts";
import type { AudioFormat, Heard } from "./follower.ts";

const CONNECT_MS = 6000;

/** What the visitor wants of a stream. */
export interface Wanted extends Pick<Options, "model" | "output" | "key"> {
  /** Folder of the model's files: this browser computes. */
  readonly weights?: string;
}

/** The page's callbacks for a stream. */
export interface Watching {
  /** Shows a message. */
  says(text: string): void;
  /** The source is open. */
  begins(format: AudioFormat): void;
  isLive(text: string): void;
  hears(heard: Heard): void;
  /** Frames of the shown segment. */
  takes(frames: Frames, ready: Ready): void;
  /** Rows and events of heads, of the shown segment. */
  takesRows(rows: HeadMessage): void;
  takesEvent(event: HeadEvent): void;
  /** The connection was lost, or is back. */
  resumes(state: State): void;
  /** The source has ended, or failed. */
  ends(problem: string | undefined): void;
}

export class Live {
  readonly #watching: Watching;
  #source: Source | undefined;
  #stream: CpcStream | undefined;
  /** The segment that is shown, and the one that rows and events belong to. */
  #segment = 0;
  #headSegment = 0;
  #isStopped = false;

  constructor(watching: Watching) {
    this.#watching = watching;
  }

  /**
   * Opens the source, connects, and sends the source's audio until the stream ends.
   *
   * @throws {Error} why the stream did not begin, unless it was stopped meanwhile, or why it ended
   */
  async run(openSource: () => Promise<Source>, options: () => Wanted): Promise<void> {
    let stream: CpcStream | undefined;
    try {
      stream = await this.#open(openSource, options);
    } catch (error) {
      this.#source?.stop();
      if (!this.#isStopped) throw error;
    }
    if (!stream) return;
    const error = await stream.closed;
    this.#source?.stop();
    if (error) throw error;
  }

  /** Ends the audio; resolves after the last vectors, or with nothing if there were none. */
  async stop(): Promise<Done | undefined> {
    this.#isStopped = true;
    this.#source?.stop();
    return await this.#stream?.finish();
  }

  /** @returns whether the source is now paused; undefined before there is one */
  togglePause(): boolean | undefined {
    if (!this.#source) return undefined;
    return this.#source.isPaused = !this.#source.isPaused;
  }

  /** Resets the stream. @returns undefined before there is a stream */
  reset(): Promise<{ segment: number }> | undefined {
    if (!this.#stream) return undefined;
    this.#segment++;
    return this.#stream.reset();
  }

  async update(output: Output[]): Promise<void> {
    await this.#stream?.update({ output });
  }

  /** @returns undefined if it was stopped meanwhile */
  async #open(
    openSource: () => Promise<Source>,
    options: () => Wanted,
  ): Promise<CpcStream | undefined> {
    const watching = this.#watching;
    watching.says("Asking for audio …");
    const source = this.#source = await openSource();
    const { name, sampleRate, channels } = source;
    if (this.#isStopped) return void source.stop();
    const { weights, model, ...rest } = options();
    watching.says(weights ? "Loading the model into this browser …" : "Connecting …");
    watching.begins({ sampleRate, channels });
    const wanted = { ...rest, sampleRate, channels, split: channels === 2 };
    const stream = weights
      ? await connect({ ...wanted, model: weights })
      : await connect(location.origin, { ...wanted, model, timeoutMs: CONNECT_MS });
    if (this.#isStopped) return void stream.close();
    this.#stream = stream;
    this.#listen(stream);
    const where = weights ? " in this browser" : "";
    watching.isLive(`${name}, ${sampleRate} Hz, to ${stream.ready.model}${where}`);
    const give = (samples: Float32Array<ArrayBuffer>) => {
      watching.hears({ samples, length: samples.length / channels });
      return stream.send(samples).catch(() => {}); // `closed` says why
    };
    source.run(give, (problem) => watching.ends(problem)).catch((error) => {
      if (!this.#isStopped) watching.ends(String(error));
    });
    return stream;
  }

  #listen(stream: CpcStream): void {
    const watching = this.#watching;
    stream.on("frames", (frames) => {
      if (frames.segment === this.#segment) watching.takes(frames, stream.ready);
    });
    stream.on("reset", ({ segment }) => this.#headSegment = segment);
    stream.on("head", (rows) => {
      if (this.#headSegment === this.#segment) watching.takesRows(rows);
    });
    stream.on("event", (event) => {
      if (this.#headSegment === this.#segment) watching.takesEvent(event);
    });
    stream.on("warning", ({ code, message }) => {
      if (code === "backlog") {
        watching.says(
          "The server computes more slowly than audio arrives, so the vectors lag behind.",
        );
      } else if (code !== "idle") watching.says(message);
    });
    stream.on("state", (state) => watching.resumes(state));
  }
}
