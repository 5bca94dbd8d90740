/** Errors, in words for the page's visitor. */

/** By the server's error code, or the name of the browser's error. */
const WORDS: Readonly<Record<string, string>> = {
  unauthorized:
    "This server requires a key, and does not know the one you gave, if any. Type a key " +
    "above, then start again.",
  overloaded:
    "The server is busy: it already has as many live streams as it can keep on time. Try " +
    "again in a moment.",
  too_many_streams:
    "Too many streams are open at once, for this key or for the server. Close another one, " +
    "or try again in a moment.",
  rate_limited: "This key has used up its quota for now. Try again later.",
  draining: "The server is stopping. Try again when it is back.",
  loading: "The server is still loading its models. Try again in a moment.",
  connection_lost:
    "The connection to the server was lost and did not come back. Check that the server is " +
    "running and the network works, then start again.",
  timeout: "The server did not answer in time. Check the network, then start again.",
  unknown_resume_token:
    "The connection was lost for too long, or the server was restarted, so it no longer has " +
    "this stream. Start a new one.",
  idle_timeout: "The server ended the stream because nothing was sent for too long. Start again.",
  session_limit: "This stream has reached the server's time limit. Start again.",
  slow_reader:
    "This machine could not process the vectors as fast as they arrived. Close other tabs, " +
    "or choose context vectors.",
  model_failed: "The model failed on the server; its log says why. Start again.",
  not_stereo:
    "The chosen head listens to two speakers. It requires an audio file with two channels, " +
    "one for each of them.",
  OverconstrainedError:
    "The microphone is gone, or it has one channel only. Choose another one for speaker 2, " +
    "or one with two channels for both.",
  NotAllowedError:
    "The browser did not allow the microphone. Allow it in the site settings (next to the " +
    "address), then start again. An audio file works without it.",
  NotFoundError:
    "No microphone was found. Plug one in, then start again. An audio file works without it.",
  NotReadableError: "The microphone is there but does not answer: another program may be using it.",
  SecurityError:
    "Browsers give the microphone only to pages from https or from localhost. Serve with " +
    "--tls-cert and --tls-key, or forward the port: ssh -L 8000:localhost:8000 HOST, and " +
    "open http://localhost:8000. An audio file works here.",
  EncodingError:
    "This file could not be decoded as audio by the browser. Try WAV, FLAC, Ogg or MP3.",
};

/** What a thrown thing says to the person. */
export function explain(error: unknown): string {
  const { code, name, message, retryAfterMs = 0 } = error as Partial<
    { code: unknown; name: string; message: string; retryAfterMs: number }
  >;
  const words = WORDS[typeof code === "string" ? code : name ?? ""];
  const wait = retryAfterMs >= 1000 ? ` It asks for ${Math.ceil(retryAfterMs / 1000)} s.` : "";
  return words ? words + wait : `It failed: ${message ?? error}`;
}
