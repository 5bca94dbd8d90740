import assert from "node:assert/strict";
import { Log, type LogSink, StderrSink } from "../log.ts";

/** Keeps lines, and says that it lost as many as it was told to. */
class TestSink implements LogSink {
  readonly lines: Record<string, unknown>[] = [];
  lost = 0;
  write(line: string): void {
    this.lines.push(JSON.parse(line));
  }
  takeLost(): number {
    const { lost } = this;
    this.lost = 0;
    return lost;
  }
  flush(): Promise<void> {
    return Promise.resolve();
  }
}

function text(chunks: readonly Uint8Array[]): string {
  return chunks.map((bytes) => new TextDecoder().decode(bytes)).join("");
}

Deno.test("Log writes lines of its level and above, with their fields", () => {
  const sink = new TestSink();
  const log = new Log("warn", { sink });
  log.info("quiet");
  log.warn("loud", { session: "a" });
  log.error("louder");
  assert.deepEqual(sink.lines.map(({ level, message }) => [level, message]), [
    ["warn", "loud"],
    ["error", "louder"],
  ]);
  assert.equal(sink.lines[0]?.session, "a");
});

Deno.test("Log holds back lines that are alike beyond 20 in 10 s, and counts them", () => {
  const sink = new TestSink();
  let nowMs = 0;
  const log = new Log("info", { sink, nowMs: () => nowMs });
  for (let i = 0; i < 1000; i++) log.info("refused", { code: "too_many_streams" });
  log.info("refused", { code: "unauthorized" });
  assert.equal(sink.lines.length, 21, "another code is another kind");
  nowMs = 10_000;
  log.info("refused", { code: "too_many_streams" });
  assert.equal(sink.lines[21]?.alike_held_back, 980);
  log.info("refused", { code: "too_many_streams" });
  assert.equal(sink.lines[22]?.alike_held_back, undefined);
});

Deno.test("Log says in the next line how many lines were lost", () => {
  const sink = new TestSink();
  const log = new Log("info", { sink });
  sink.lost = 3;
  log.info("first");
  log.info("second");
  assert.deepEqual(sink.lines.map(({ lines_lost }) => lines_lost), [3, undefined]);
});

Deno.test("StderrSink writes whole lines, however little the file takes at once", async () => {
  const chunks: Uint8Array[] = [];
  const sink = new StderrSink({
    write(bytes) {
      chunks.push(bytes.slice(0, 3));
      return Promise.resolve(Math.min(3, bytes.length));
    },
  });
  sink.write("one line");
  sink.write("another");
  await sink.flush(10_000);
  assert.equal(text(chunks), "one line\nanother\n");
});

Deno.test("StderrSink survives a file that cannot be written, and counts the loss", async () => {
  let full = true;
  const chunks: Uint8Array[] = [];
  const sink = new StderrSink({
    write(bytes) {
      if (full) return Promise.reject(new Error("No space left on device"));
      chunks.push(bytes);
      return Promise.resolve(bytes.length);
    },
  });
  sink.write("lost");
  await sink.flush(10_000);
  assert.equal(sink.takeLost(), 1);
  full = false;
  sink.write("written");
  await sink.flush(10_000);
  assert.equal(text(chunks), "written\n");
  assert.equal(sink.takeLost(), 0);
});

Deno.test("StderrSink bounds what waits for a reader that has stopped", async () => {
  const stopped = Promise.withResolvers<number>();
  let calls = 0;
  const sink = new StderrSink({
    write: (bytes) => calls++ === 0 ? stopped.promise : Promise.resolve(bytes.length),
  });
  const line = "x".repeat(100 * 1024);
  for (let i = 0; i < 30; i++) sink.write(line);
  assert.equal(sink.takeLost(), 20, "ten lines of 100 KiB fit into 1 MiB");
  await sink.flush(1); // gives up
  stopped.resolve(line.length + 1);
  await sink.flush(10_000);
  sink.write("room again");
  assert.equal(sink.takeLost(), 0);
  await sink.flush(10_000);
});
