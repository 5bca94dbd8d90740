/** Lines of text over pipes. */

/** A longer line is cut there. The metrics of 100,000 keys take 30 MB. */
const LONGEST_LINE = 64 * 1024 * 1024;

/** The lines of a stream of UTF-8, without their ends. The last one need not have an end. */
export async function* linesOf(bytes: ReadableStream<Uint8Array<ArrayBuffer>>) {
  let parts: string[] = [];
  let length = 0;
  const taken = () => {
    const line = parts.join("");
    parts = [];
    length = 0;
    return line;
  };
  for await (const text of bytes.pipeThrough(new TextDecoderStream())) {
    const [first = "", ...others] = text.split("\n");
    if (length < LONGEST_LINE) parts.push(first);
    length += first.length;
    for (const part of others) {
      yield taken();
      parts.push(part);
      length = part.length;
    }
  }
  if (length > 0) yield taken();
}

/** Writes lines in order, and waits for nobody. A reader that has gone is no error. */
export class LineWriter {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #encoder = new TextEncoder();

  constructor(to: WritableStream<Uint8Array<ArrayBuffer>>) {
    this.#writer = to.getWriter();
    this.#writer.closed.catch(() => {}); // whoever reads has gone; its end is noticed elsewhere
  }

  /** Writes a value as one line of JSON. */
  send(value: object): void {
    this.#writer.write(this.#encoder.encode(`${JSON.stringify(value)}\n`)).catch(() => {});
  }

  /** Ends the stream. */
  close(): void {
    this.#writer.close().catch(() => {});
  }
}
