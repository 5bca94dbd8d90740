/** How inputs of bytes are shown: base64, as a shell reads it back. */
import { Buffer } from "node:buffer";

/** Bytes as base64. */
export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
