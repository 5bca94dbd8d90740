/**
 * The format that an Accept header asks for.
 *
 * We do not use hono/accepts, because it never matches the full wildcard: next to one, it answers
 * json although `application/json;q=0` refuses that, and prefers `application/zip;q=0.5` to the
 * wildcard itself. It also reads a q that is not a number as 1.
 */
import { formatFor } from "../recordings/answers.ts";
import { type Format, FORMATS } from "../recordings/embed_options.ts";

/** The media type of a format. */
export const MEDIA_TYPES: Record<Format, string> = {
  json: "application/json",
  npy: "application/x-npy",
  npz: "application/zip",
  safetensors: "application/vnd.safetensors",
  ndjson: "application/x-ndjson",
};

/** The format that an Accept header prefers; json by default. */
export function acceptedFormat(accept: string | undefined, plainArray: boolean): Format {
  const wishes = (accept ?? "").split(",").map((part, place) => {
    const [type, ...params] = part.split(";").map((text) => text.trim().toLowerCase());
    const quality = Number(params.find((param) => param.startsWith("q="))?.slice(2) ?? 1);
    return { type, place, quality: Number.isFinite(quality) ? quality : 0 };
  });
  const wishFor = (format: Format) =>
    [MEDIA_TYPES[format], "application/*", "*/*"].map((range) =>
      wishes.find(({ type }) => type === range)
    ).find(Boolean);
  const [best] = FORMATS
    .map((format) => ({ format, place: Infinity, quality: 0, ...wishFor(format) }))
    .sort((a, b) => b.quality - a.quality || a.place - b.place);
  if (!best || best.quality === 0) return "json";
  return formatFor(best.format, { arrays: plainArray ? 1 : 2 });
}
