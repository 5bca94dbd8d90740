/**
 * Audio of a browser for a stream: its microphone, or a file. For pages; see `mod.ts` for the
 * stream itself.
 *
 * @example
 * ```ts ignore
 * const microphone = await openMicrophone();
 * const stream = await connect("https://speech.example", { sampleRate: microphone.sampleRate });
 * await microphone.run((samples) => stream.send(samples), () => stream.finish());
 * for await (const { first, context } of stream) console.log(first, context.length, "vectors");
 * ```
 */
export { openFile } from "./browser/file.ts";
export { type MicrophoneOptions, openMicrophone } from "./browser/microphone.ts";
export type { Channels, Give, Source } from "./browser/source.ts";
