/** The panel "Keep it": vectors and audio as files. */
import { byId, write } from "../dom.ts";
import { npy, wav } from "../files.ts";
import type { AudioFormat, Follower, Heard, Shown, Taken } from "../follower.ts";

/** Most to keep, in bytes of each kind. */
const KEPT_BYTES = 128 * 1024 * 1024;
const URL_LIFE_MS = 10_000;

export class KeepPanel implements Follower {
  readonly #vectorsButton = byId("save-vectors", HTMLButtonElement);
  readonly #audioButton = byId("save-audio", HTMLButtonElement);
  #format: AudioFormat = { sampleRate: 1, channels: 1 };
  #shown: Shown = "context";
  /** Index of the first kept frame. */
  #first = 0;
  #audio = new Kept();
  #rows = new Kept();

  constructor() {
    for (const id of ["origin", "origin2"]) write(id, location.origin);
    this.#vectorsButton.onclick = () => {
      const { list } = this.#rows;
      const name = `${this.#shown}_from_${this.#first}.npy`;
      save(npy(list, list[0]?.length ?? 0), name);
    };
    this.#audioButton.onclick = () => save(wav(this.#audio.list, this.#format), "audio.wav");
  }

  beginAudio(format: AudioFormat): void {
    this.#format = format;
    this.#audio = new Kept();
  }

  hear({ samples }: Heard): void {
    this.#audio.add(samples, this.#rows);
  }

  beginVectors(shown: Shown): void {
    this.#shown = shown;
    this.#rows = new Kept();
  }

  take({ frames: { first }, rows }: Taken): void {
    if (this.#rows.list.length === 0) this.#first = first;
    for (const row of rows) this.#rows.add(row, this.#audio);
  }

  tell(): void {
    const { list, isFull } = this.#rows;
    this.#vectorsButton.disabled = list.length === 0;
    this.#audioButton.disabled = this.#audio.list.length === 0;
    const size = `${list.length} × ${list[0]?.length} ${this.#shown}`;
    const limit = isFull || this.#audio.isFull ? "; the rest is not kept" : "";
    write("kept", list.length > 0 ? size + limit : "");
  }
}

/** Floats without a gap, up to a limit. */
class Kept {
  readonly list: Float32Array[] = [];
  isFull = false;
  #bytes = 0;

  add(floats: Float32Array, beside: Kept): void {
    this.isFull ||= this.#bytes + beside.#bytes > KEPT_BYTES;
    if (this.isFull) return;
    this.#bytes += floats.byteLength;
    this.list.push(floats);
  }
}

function save(bytes: Uint8Array<ArrayBuffer>, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes]));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), URL_LIFE_MS);
}
